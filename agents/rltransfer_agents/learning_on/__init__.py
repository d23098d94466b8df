"""Learning on in the target from the mapped policy, guarded."""

from rltransfer_agents.learning_on.guard import NOTHING_KNOWN as NOTHING_KNOWN
from rltransfer_agents.learning_on.guard import KnownReturns as KnownReturns
from rltransfer_agents.learning_on.learn_on import learn_on as learn_on
from rltransfer_agents.learning_on.learn_on_config import STUDENTS as STUDENTS
from rltransfer_agents.learning_on.learn_on_config import LearnOnConfig as LearnOnConfig
from rltransfer_agents.learning_on.learn_on_config import (
    require_learning_steps as require_learning_steps,
)
from rltransfer_agents.learning_on.learn_on_config import (
    require_student as require_student,
)
from rltransfer_agents.learning_on.learned import ArmRecord as ArmRecord
from rltransfer_agents.learning_on.learned import CurvePoint as CurvePoint
from rltransfer_agents.learning_on.learned import LearnedOn as LearnedOn
from rltransfer_agents.learning_on.learned import LearningWatcher as LearningWatcher
from rltransfer_agents.learning_on.strategies import STRATEGIES as STRATEGIES
