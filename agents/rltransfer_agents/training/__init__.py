"""Training source agents with Stable-Baselines3."""

from rltransfer_agents.training.algorithms import ALGORITHMS
from rltransfer_agents.training.config import Progress, TrainConfig, TrainedRun, Watch
from rltransfer_agents.training.session import resume_source, train_source
from rltransfer_agents.training.several import (
    TrainingFault,
    resume_sources,
    train_sources,
)
from rltransfer_agents.training.tuned import tuned_hyperparameters

__all__ = [
    "ALGORITHMS",
    "Progress",
    "TrainConfig",
    "TrainedRun",
    "TrainingFault",
    "Watch",
    "resume_source",
    "resume_sources",
    "train_source",
    "train_sources",
    "tuned_hyperparameters",
]
