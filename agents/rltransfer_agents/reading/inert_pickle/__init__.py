"""Pickles as data: what they would import or call becomes a name, nothing happens."""

from rltransfer_agents.reading.inert_pickle.machine import next_pickle, parse_pickle
from rltransfer_agents.reading.inert_pickle.trees import (
    Call,
    Persistent,
    Reference,
    called,
    constructed,
    value_name,
)

__all__ = [
    "Call",
    "Persistent",
    "Reference",
    "called",
    "constructed",
    "next_pickle",
    "parse_pickle",
    "value_name",
]
