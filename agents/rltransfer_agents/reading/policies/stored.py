"""All that a file says about a policy, before it is put together."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, final

from gymnasium import spaces
from numpy.typing import NDArray

from rltransfer_agents.frozen.normalisation import Normalisation
from rltransfer_agents.reading.keywords import Keywords

# By the part of a Dict observation; "" stands for an observation without parts.
Normalisations = Mapping[str, Normalisation]


@final
@dataclass(frozen=True, eq=False)
class StoredPolicy:
    """The policy of a checkpoint as data."""

    policy_class: str
    """Module and name."""
    observation_space: spaces.Space[Any]
    action_space: spaces.Space[Any]
    keywords: Keywords
    tensors: dict[str, NDArray[Any]]
    exploration: float = 0.0
    """Share of random actions when actions are drawn (DQN, QR-DQN)."""
    normalisations: Normalisations = field(default_factory=dict)
