"""Pictures of digits and clothes, as tasks for the two MNIST scripts.

A package beside the scripts, for the environments package imports Gymnasium.
"""

from digits.digit_files import Offline as Offline
from digits.digit_tasks import TARGETS as TARGETS
from digits.digit_tasks import Task as Task
from digits.digit_tasks import source_task as source_task
from digits.digit_training import accuracy as accuracy
from digits.digit_training import train as train
