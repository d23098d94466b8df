"""The model of a domain that mappings are compared with."""

from rltransfer.dynamics.learning import LearnConfig as LearnConfig
from rltransfer.dynamics.learning import learn_dynamics as learn_dynamics
from rltransfer.dynamics.model import DynamicsModel as DynamicsModel
