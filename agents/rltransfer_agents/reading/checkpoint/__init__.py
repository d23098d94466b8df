"""Stable-Baselines3's zip, taken apart."""

from rltransfer_agents.reading.checkpoint.contents import (
    Checkpoint,
    checkpoint_members,
    is_member,
    read_checkpoint,
    versions_of,
)

__all__ = [
    "Checkpoint",
    "checkpoint_members",
    "is_member",
    "read_checkpoint",
    "versions_of",
]
