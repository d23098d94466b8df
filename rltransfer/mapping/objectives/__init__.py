"""Objectives: what a mapping is fitted to."""

from rltransfer.mapping.objectives.dynamics_agreement import (
    DynamicsAgreement as DynamicsAgreement,
)
from rltransfer.mapping.objectives.dynamics_agreement import Prediction as Prediction
from rltransfer.mapping.objectives.dynamics_agreement import StepModel as StepModel
from rltransfer.mapping.objectives.moment_matching import (
    MomentMatching as MomentMatching,
)
from rltransfer.mapping.objectives.objective import Objective as Objective
from rltransfer.mapping.objectives.objective import Weight as Weight
from rltransfer.mapping.objectives.objective import WeightedSum as WeightedSum
from rltransfer.mapping.objectives.objective import descending as descending
from rltransfer.mapping.objectives.supervised import CrossEntropy as CrossEntropy
from rltransfer.mapping.objectives.supervised import Examples as Examples
from rltransfer.mapping.objectives.supervised import Head as Head
from rltransfer.mapping.objectives.supervised import Regression as Regression
