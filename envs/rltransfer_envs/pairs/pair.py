"""What a pair of environments is, and what is asked of transfer between them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, final

import gymnasium as gym

from rltransfer_envs.making import make

SCRAMBLED = "rltransfer/Scrambled-v0"


@final
@dataclass(frozen=True, eq=False)
class Pair:
    """Where an agent comes from, where it goes, and what is asked of it there."""

    name: str
    source: str
    target: str
    algorithm: Literal["a2c", "dqn", "ppo", "sac", "td3"]
    """That trains the source."""
    budget: int
    """Steps in the target, all counted; a hard limit."""
    goal: Literal["return", "share of source", "refusal"]
    threshold: float | None
    """For the median zero-shot return over seeds: a return, or a share of what the
    source's policy gets in the target as it is. None where refusal is right."""
    notes: str
    source_kwargs: Mapping[str, Any] = field(default_factory=dict)
    target_kwargs: Mapping[str, Any] = field(default_factory=dict)
    """Of a scrambled target all but the seed, which `target_options` adds."""
    extra: str | None = None
    """What `pip install "rltransfer[...]"` has to add."""

    @property
    def scrambled(self) -> bool:
        """Whether the target differs from seed to seed."""
        return self.target == SCRAMBLED

    def target_options(self, seed: int) -> dict[str, Any]:
        """Returns the target's keyword arguments, for one scramble if there is any."""
        return {**self.target_kwargs, **({"seed": seed} if self.scrambled else {})}

    def make_source(self) -> gym.Env[Any, Any]:
        """Returns the environment that the agent comes from."""
        return make(self.source, **self.source_kwargs)

    def make_target(self, seed: int) -> gym.Env[Any, Any]:
        """Returns the environment that the agent goes to.

        Args:
            seed: which scramble; the others are the same for every seed.
        """
        return make(self.target, **self.target_options(seed))
