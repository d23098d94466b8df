"""Hyperparameters as plain data: a closed set of keys for each algorithm.

Keys and spellings are RL Zoo's, except that nothing is an expression to evaluate:
networks and activations are named, a schedule that falls to zero is `lin_START`.
"""

from rltransfer_agents.training.hyperparameters.checks import checked_hyperparameters
from rltransfer_agents.training.hyperparameters.schedules import falling_from

__all__ = ["checked_hyperparameters", "falling_from"]
