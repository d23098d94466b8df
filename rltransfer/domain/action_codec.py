"""Actions as vectors: the one place where they are encoded."""

import math
from abc import ABC, abstractmethod
from typing import Any, final

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray
from typing_extensions import override

from rltransfer.errors import InputError
from rltransfer.wrappers.observation_check import counted_choices

MOST_COMBINATIONS = 256
"""Of several choices at once: each is an action of its own, to be met and matched."""


class ActionCodec(ABC):
    """Actions of one space as vectors of a fixed size; one action, or one per row.

    Choices are counted from 0, whatever the `start` of their space: see
    `rltransfer.wrappers.zero_based_env`.
    """

    size: int
    """Length of an encoded action."""
    discrete: bool
    """Whether there are finitely many actions."""

    @abstractmethod
    def encode(self, action: Any) -> NDArray[np.float32]:
        """Returns `action` as a vector.

        Raises:
            InputError: there is no such choice.
        """

    @abstractmethod
    def decode(self, vector: NDArray[Any]) -> Any:
        """Returns the action nearest to `vector`."""

    @abstractmethod
    def draw(self, rng: np.random.Generator) -> Any:
        """Returns an action drawn evenly."""


@final
class OneHotActions(ActionCodec):
    """Finitely many actions, each a one-hot vector."""

    discrete = True

    def __init__(self, space: spaces.Discrete) -> None:
        self.size = int(space.n)
        self._rows = np.eye(self.size, dtype=np.float32)

    @override
    def encode(self, action: Any) -> NDArray[np.float32]:
        # NumPy would count negative ones from the end.
        size, single = self.size, not getattr(action, "ndim", 0)
        # NumPy's own test takes longer than a step of a cheap environment.
        if not (
            0 <= action < size if single else np.all((action >= 0) & (action < size))
        ):
            raise InputError(
                f"actions are counted from 0 to {size - 1}, got {action}; use a "
                "policy that was made for this environment"
            )
        rows: NDArray[np.float32] = self._rows[action]
        return rows

    @override
    def decode(self, vector: NDArray[Any]) -> Any:
        return vector.argmax(axis=-1)

    @override
    def draw(self, rng: np.random.Generator) -> np.int64:
        return np.int64(rng.integers(self.size))


@final
class ListedActions(ActionCodec):
    """Several choices at once: each of their combinations is one of a list.

    Which choices act on their own is not known, so none is taken to.

    Args:
        space: MultiDiscrete or MultiBinary, of one dimension.
    """

    discrete = True

    def __init__(self, space: spaces.MultiDiscrete | spaces.MultiBinary) -> None:
        self.choices: tuple[int, ...] = tuple(counted_choices(space).tolist())
        """How many there are of each."""
        self._dtype = space.dtype
        self.size = math.prod(self.choices)
        self._rows = np.eye(self.size, dtype=np.float32)

    @override
    def encode(self, action: Any) -> NDArray[np.float32]:
        choices = np.moveaxis(np.asarray(action), -1, 0)
        if len(choices) != len(self.choices) or not all(
            np.all((own >= 0) & (own < count))
            for own, count in zip(choices, self.choices, strict=True)
        ):
            raise InputError(
                f"an action is one choice each of {list(self.choices)}, counted from "
                f"0, got {action}; use a policy that was made for this environment"
            )
        rows: NDArray[np.float32] = self._rows[
            np.ravel_multi_index(tuple(choices), self.choices)
        ]
        return rows

    @override
    def decode(self, vector: NDArray[Any]) -> NDArray[Any]:
        choices = np.unravel_index(vector.argmax(axis=-1), self.choices)
        return np.stack(choices, axis=-1).astype(self._dtype)

    @override
    def draw(self, rng: np.random.Generator) -> NDArray[Any]:
        return rng.integers(self.choices).astype(self._dtype)


@final
class BoxActions(ActionCodec):
    """Continuous actions, each side of the box scaled to [-1, 1]."""

    discrete = False

    def __init__(self, space: spaces.Box) -> None:
        self.size = space.shape[0]
        self._low = space.low.astype(np.float64)
        self._high = space.high.astype(np.float64)
        if not np.issubdtype(space.dtype, np.floating):
            raise InputError(
                f"continuous actions need a Box of floats, got {space}: make them "
                "Discrete, or a Box of float32"
            )
        # Networks compute in single precision, where a wide range overflows.
        with np.errstate(over="ignore"):
            width = (self._high - self._low).astype(np.float32)
        if not np.isfinite(width).all():
            raise InputError(
                f"continuous actions need finite bounds, got {space}: give the "
                "environment an action space that says how far its motors go"
            )
        self._centre = (self._high + self._low) / 2
        self._reach = np.maximum((self._high - self._low) / 2, 1e-12)
        self._dtype = space.dtype

    @override
    def encode(self, action: Any) -> NDArray[np.float32]:
        scaled = (np.asarray(action, np.float64) - self._centre) / self._reach
        return scaled.astype(np.float32)

    @override
    def decode(self, vector: NDArray[Any]) -> NDArray[Any]:
        action = vector * self._reach
        action += self._centre
        np.maximum(action, self._low, out=action)
        np.minimum(action, self._high, out=action)
        return action.astype(self._dtype)

    @override
    def draw(self, rng: np.random.Generator) -> NDArray[Any]:
        return rng.uniform(self._low, self._high).astype(self._dtype)


def codec_of(space: gym.Space[Any], name: str) -> ActionCodec:
    """Returns the codec for the actions of `space`.

    Args:
        space: of the actions.
        name: of the environment, for the error.

    Raises:
        InputError: actions of this kind cannot be translated.
    """
    if isinstance(space, spaces.Discrete):
        return OneHotActions(space)
    if isinstance(space, spaces.Box) and len(space.shape) == 1:
        return BoxActions(space)
    if isinstance(space, spaces.MultiDiscrete | spaces.MultiBinary):
        choices = counted_choices(space)
        if choices.ndim == 1 and math.prod(choices.tolist()) <= MOST_COMBINATIONS:
            return ListedActions(space)
    raise InputError(
        "actions must be a Box of one dimension, Discrete, or several choices of at "
        f"most {MOST_COMBINATIONS} combinations, but {name} has {space}: "
        + _action_remedy(space)
    )


def _action_remedy(space: gym.Space[Any]) -> str:
    wrapper = "with a gymnasium.ActionWrapper"
    match space:
        case spaces.MultiDiscrete() | spaces.MultiBinary():
            return f"leave out choices that hardly matter, {wrapper}"
        case spaces.Box():
            size = int(np.prod(space.shape))
            return f"reshape them to a Box of shape ({size},) {wrapper}"
        case spaces.Dict() | spaces.Tuple():
            return f"join the parts to one Box or one Discrete {wrapper}"
        case _:
            return f"make them one of these {wrapper}"


def describe_space(space: spaces.Space[Any]) -> dict[str, Any]:
    """Returns the kind of a space and what tells it from others of its kind."""
    match space:
        case spaces.Box():
            return {
                "kind": "Box",
                "shape": list(space.shape),
                "dtype": str(space.dtype),
                "low": _bounds(space.low),
                "high": _bounds(space.high),
            }
        case spaces.Discrete():
            return {"kind": "Discrete", "n": int(space.n), "start": int(space.start)}
        case spaces.MultiDiscrete():
            rows = {"nvec": space.nvec, "start": space.start}
            return {"kind": "MultiDiscrete", **{k: v.tolist() for k, v in rows.items()}}
        case spaces.MultiBinary():
            return {"kind": "MultiBinary", "n": list(space.shape)}
        case spaces.Dict():
            parts = {name: describe_space(part) for name, part in space.spaces.items()}
            return {"kind": "Dict", "spaces": parts}
        case _:
            return {"kind": type(space).__name__, "text": str(space)}


def _bounds(values: NDArray[Any]) -> list[float | None]:
    # JSON has no infinity; null stands for no bound.
    return [
        float(value) if math.isfinite(value) else None for value in np.ravel(values)
    ]
