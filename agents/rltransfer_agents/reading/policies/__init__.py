"""The stock policies: which tensors act, and how. One page for each family."""

from rltransfer_agents.reading.policies.assembly import freeze
from rltransfer_agents.reading.policies.stored import Normalisations, StoredPolicy

__all__ = ["Normalisations", "StoredPolicy", "freeze"]
