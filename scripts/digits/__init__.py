"""Pictures of digits and clothes for the two listings; knows nothing of environments.

It stands beside the scripts, not among the environments, as those import Gymnasium.
"""

from digits.fetching import Offline as Offline
from digits.lessons import accuracy as accuracy
from digits.lessons import train as train
from digits.tasks import TARGETS as TARGETS
from digits.tasks import Task as Task
from digits.tasks import source_task as source_task
