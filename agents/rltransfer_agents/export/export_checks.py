"""What holds for every exported file: it is new, and acts as its original does."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from gymnasium import spaces
from jaxtyping import Bool
from numpy.typing import NDArray

from rltransfer.errors import InputError
from rltransfer.wrappers.zero_based_env import zero_based
from rltransfer_agents.policies import FrozenPolicy

_OBSERVATIONS = 256
_TOLERANCE = 1e-4
# Where two choices are this near to each other, rounding may decide between them.
_TIE = 1e-3

_WIDEST = 1000.0
"""Bounds further out than this are taken for none: CartPole has 3.4e38."""

Act = Callable[[Any], NDArray[Any]]
"""Maps a batch of observations to actions, without chance."""


def require_new(path: Path | str, suffix: str) -> Path:
    """Returns `path`; raises unless it ends in `suffix` and nothing is there yet."""
    file = Path(path)
    if file.suffix != suffix:
        raise InputError(f"the file's name must end in {suffix}, got {path}; rename it")
    if file.exists() or file.is_symlink():
        raise InputError(
            f"a file to write must be new, {path} exists already; remove it, move it "
            "away, or name another"
        )
    return file


def require_equal(act: Act, original: FrozenPolicy, what: str) -> None:
    """Raises unless `act` chooses as `original` does on random observations.

    Args:
        act: what was written.
        original: the policy it was written from.
        what: the file, for the message.
    """
    observations = random_observations(original.observation_space, seed=0)
    expected, _ = original.predict(observations, deterministic=True)
    actions = np.asarray(act(observations))
    if actions.shape == expected.shape:
        gaps = np.abs(actions.astype(np.float64) - expected.astype(np.float64))
        allowed = _TOLERANCE * np.maximum(1, np.abs(expected))
        # Written so that a number that is not finite counts as wrong.
        wrong = ~(gaps <= allowed).reshape(len(gaps), -1).all(axis=1)
        if not (wrong & ~_is_tied(original, observations)).any():
            return
        worst = f"by up to {gaps.max():.3g}"
    else:
        worst = f"in shape, {actions.shape} and not {expected.shape}"
    raise InputError(
        f"{what} must act as the original does on {_OBSERVATIONS} random observations, "
        f"it differs {worst}; nothing was written, the policy is not one of those "
        "supported"
    )


def random_observations(space: spaces.Space[Any], seed: int) -> Any:
    """Returns a batch of observations, drawn from a space."""
    if isinstance(space, spaces.Dict):
        return {
            name: random_observations(part, seed + place)
            for place, (name, part) in enumerate(space.spaces.items())
        }
    space = zero_based(space)  # as agents count
    rng = np.random.default_rng(seed)
    if isinstance(space, spaces.Box) and np.issubdtype(space.dtype, np.floating):
        shape = (_OBSERVATIONS, *space.shape)
        low, high = space.low.astype(np.float64), space.high.astype(np.float64)
        near = np.maximum(np.abs(low), np.abs(high)) <= _WIDEST
        drawn = np.where(
            near,
            rng.uniform(np.where(near, low, 0), np.where(near, high, 1), shape),
            # Up to bounds that mean none, numbers would be ones no policy ever sees.
            np.clip(rng.normal(scale=3, size=shape), low, high),
        )
        return drawn.astype(space.dtype)
    space.seed(seed)
    return np.stack([space.sample() for _ in range(_OBSERVATIONS)])


def _is_tied(policy: FrozenPolicy, observations: Any) -> Bool[np.ndarray, " row"]:
    """Returns where two discrete actions are nearly equally good."""
    if isinstance(policy.action_space, spaces.Box):
        return np.zeros(_OBSERVATIONS, np.bool_)
    outputs = policy.outputs(observations)
    if isinstance(policy.action_space, spaces.MultiBinary):
        return np.asarray((np.abs(outputs) < _TIE).any(axis=-1))
    sizes = (
        policy.action_space.nvec
        if isinstance(policy.action_space, spaces.MultiDiscrete)
        else [outputs.shape[-1]]
    )
    tied = np.zeros(_OBSERVATIONS, np.bool_)
    for part in np.split(outputs, np.cumsum(sizes)[:-1], axis=-1):
        best = np.sort(part, axis=-1)
        if part.shape[-1] > 1:
            gap, size = best[:, -1] - best[:, -2], np.maximum(1, np.abs(best[:, -1]))
            tied |= gap < _TIE * size
    return tied
