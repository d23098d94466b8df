"""The model of a domain that mappings are compared with."""

from rltransfer.source_models.control_affine import DynamicsModel as DynamicsModel
from rltransfer.source_models.control_affine import LearnConfig as LearnConfig
from rltransfer.source_models.control_affine import learn_dynamics as learn_dynamics
