"""Training source agents with Stable-Baselines3."""

from rltransfer_agents.training.algorithms import ALGORITHMS, tuned_hyperparameters
from rltransfer_agents.training.parallel_training import (
    TrainingFault,
    resume_sources,
    train_sources,
)
from rltransfer_agents.training.train_config import (
    Progress,
    TrainConfig,
    TrainedRun,
    Watch,
)
from rltransfer_agents.training.training_run import resume_source, train_source

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
