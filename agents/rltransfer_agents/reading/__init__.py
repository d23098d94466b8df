"""Agents from strangers, read as data: nothing in their files is imported or run."""

from rltransfer_agents.reading.agent import Agent, read_agent
from rltransfer_agents.reading.describing import describe_artifact
from rltransfer_agents.reading.description import ArtifactDescription, Refused
from rltransfer_agents.reading.refusal import REMEDIES, Refusal

__all__ = [
    "REMEDIES",
    "Agent",
    "ArtifactDescription",
    "Refusal",
    "Refused",
    "describe_artifact",
    "read_agent",
]
