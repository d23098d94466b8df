"""Snapshots from which an interrupted training goes on to the same bits."""

from rltransfer_agents.training.snapshots.items import ITEMS, capture, digest, restore
from rltransfer_agents.training.snapshots.keeper import SnapshotKeeper

__all__ = ["ITEMS", "SnapshotKeeper", "capture", "digest", "restore"]
