"""Training source agents with Stable-Baselines3."""

from rltransfer_agents.training.algorithms import ALGORITHMS as ALGORITHMS
from rltransfer_agents.training.algorithms import (
    tuned_hyperparameters as tuned_hyperparameters,
)
from rltransfer_agents.training.parallel_training import TrainingFault as TrainingFault
from rltransfer_agents.training.parallel_training import (
    resume_sources as resume_sources,
)
from rltransfer_agents.training.parallel_training import train_sources as train_sources
from rltransfer_agents.training.train_config import Progress as Progress
from rltransfer_agents.training.train_config import TrainConfig as TrainConfig
from rltransfer_agents.training.train_config import TrainedRun as TrainedRun
from rltransfer_agents.training.train_config import Watch as Watch
from rltransfer_agents.training.training_run import resume_source as resume_source
from rltransfer_agents.training.training_run import train_source as train_source
