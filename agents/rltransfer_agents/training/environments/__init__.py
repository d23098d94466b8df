"""Environments to learn in: checked at every step and able to be put back."""

from rltransfer_agents.training.environments.apart import Apart
from rltransfer_agents.training.environments.here import Here
from rltransfer_agents.training.environments.place import Place
from rltransfer_agents.training.environments.seat import Moment, Seat
from rltransfer_agents.training.environments.vector import VectorEnv

__all__ = ["Apart", "Here", "Moment", "Place", "Seat", "VectorEnv"]
