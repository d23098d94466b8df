"""Whether the seed of a reset decides how an episode starts."""

from collections.abc import Mapping
from typing import Any

import gymnasium as gym
import numpy as np

SEEDS_IGNORED = (
    "reset(seed=…) does not decide how episodes start, so that figures for the same "
    "seeds differ from run to run"
)
"""What tables say of an environment whose seeds are ignored."""


def ignores_seeds(env: gym.Env[Any, Any], seed: int) -> bool:
    """Tells whether two resets with one seed show different observations.

    Takes no step.

    Args:
        env: is reset twice; must not write into what it has shown, as none does behind
            a `CheckedEnv`.
        seed: of both resets.
    """
    first, _ = env.reset(seed=seed)
    again, _ = env.reset(seed=seed)
    return not _equal(first, again)


def _equal(first: Any, again: Any) -> bool:
    if isinstance(first, Mapping):
        return all(_equal(first[key], again[key]) for key in first)
    if isinstance(first, tuple):
        return all(map(_equal, first, again))
    return np.array_equal(first, again)
