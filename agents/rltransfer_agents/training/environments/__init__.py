"""Environments to learn in: checked at every step and able to be put back."""

from rltransfer_agents.training.environments.seat import Moment as Moment
from rltransfer_agents.training.environments.seat import Seat as Seat
from rltransfer_agents.training.environments.side_by_side import (
    SideBySide as SideBySide,
)
