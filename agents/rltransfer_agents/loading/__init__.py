"""Published agents read as data: nothing in their files is imported or run."""

from rltransfer_agents.loading.agent_loading import LoadedPolicy, load_agent
from rltransfer_agents.loading.artifact_description import (
    ArtifactDescription,
    Refused,
    describe_artifact,
)
from rltransfer_agents.loading.refusal import REMEDIES, Refusal

__all__ = [
    "REMEDIES",
    "ArtifactDescription",
    "LoadedPolicy",
    "Refusal",
    "Refused",
    "describe_artifact",
    "load_agent",
]
