"""Whatever can act: agents and transfers, by the path where they lie."""

from rltransfer.cli.agents.actor import Actor, domain_of, require_fit
from rltransfer.cli.agents.opening import MAPPING_FOLDER, actor_at, is_transfer

__all__ = [
    "MAPPING_FOLDER",
    "Actor",
    "actor_at",
    "domain_of",
    "is_transfer",
    "require_fit",
]
