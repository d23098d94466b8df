"""The acting part of an agent as plain NumPy arrays: no torch, no training state."""

from rltransfer_agents.policies.frozen_policy import FrozenPolicy as FrozenPolicy
