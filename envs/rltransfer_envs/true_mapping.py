"""What a scramble hides: sensors that mix, and actuators that swap."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Any, TypeVar, final

import numpy as np
from gymnasium import spaces
from gymnasium.envs.registration import parse_env_id
from jaxtyping import Float32, Float64, Int64
from numpy.typing import NDArray
from typing_extensions import override

from rltransfer.errors import InputError

T = TypeVar("T")

WIDEST = 1000.0
"""Half-widths above this are treated as no bound."""

# Where visited states fill a small part of the bounds, or there are none: rounded
# standard deviations between those of random and of trained policies.
KNOWN: Mapping[str, tuple[float, ...]] = MappingProxyType(
    {
        "Acrobot": (1.0, 1.0, 1.0, 1.0, 4.0, 8.0),
        "CartPole": (1.0, 1.0, 0.2, 1.0),
        "LunarLander": (0.5, 0.5, 0.7, 0.5, 0.7, 0.7, 0.3, 0.3),
        "MountainCar": (0.5, 0.05),
        "MountainCarContinuous": (0.5, 0.05),
        "Pendulum": (1.0, 1.0, 4.0),
    }
)


def typical_spread(space: spaces.Box, env_id: str | None) -> Float64[np.ndarray, " d"]:
    """Returns a positive number per dimension, in the units of the observation.

    The table above where it knows the environment; else half the width of the bounds
    where they are finite and not too large; else 1. Nothing is measured, so that the
    answer depends on the arguments only.

    Args:
        space: observations of rank 1.
        env_id: what the environment is registered as, if it is.
    """
    known = by_name(KNOWN, env_id)
    # An environment of the same name may have been given other observations.
    if known is not None and len(known) == space.shape[0]:
        return np.array(known)
    return half_widths(space, np.ones(space.shape))


def half_widths(
    space: spaces.Box, otherwise: Float64[np.ndarray, " d"]
) -> Float64[np.ndarray, " d"]:
    """Returns half the width of the bounds where they are finite and not too large."""
    low, high = space.low.astype(np.float64), space.high.astype(np.float64)
    bounded = np.isfinite(low) & np.isfinite(high)
    half_width = np.where(bounded, high, 0.0) / 2 - np.where(bounded, low, 0.0) / 2
    usable = (half_width > 0.0) & (half_width <= WIDEST)
    return np.where(usable, half_width, otherwise)


def by_name(table: Mapping[str, T], env_id: str | None) -> T | None:
    """Returns the entry of Gymnasium's environment, or ours, of any version."""
    if env_id is None:
        return None
    namespace, name, _ = parse_env_id(env_id)
    return table.get(name) if namespace in (None, "rltransfer") else None


@final
@dataclass(frozen=True, eq=False)
class Sensors:
    """reading = rotation · (scale * observation) + offset."""

    rotation: Float64[np.ndarray, "d d"]
    """Orthogonal: a rotation, or a rotation and a reflection."""
    scale: Float64[np.ndarray, " d"]
    """Positive."""
    offset: Float64[np.ndarray, " d"]

    @cached_property
    def matrix(self) -> Float64[np.ndarray, "d d"]:
        """The linear part: reading = matrix · observation + offset."""
        matrix: NDArray[np.float64] = self.rotation * self.scale
        return matrix

    def reading(self, observation: NDArray[Any]) -> Float32[np.ndarray, "*b d"]:
        """Returns what the sensors show, of one observation or of many."""
        shown: NDArray[np.float64] = observation @ self.matrix.T + self.offset
        return shown.astype(np.float32)

    def observation(self, reading: NDArray[Any]) -> Float64[np.ndarray, "*b d"]:
        """Returns what was observed: the inverse of `reading`."""
        rotated_back: NDArray[np.float64] = (reading - self.offset) @ self.rotation
        observation: NDArray[np.float64] = rotated_back / self.scale
        return observation


def random_sensors(
    spread: Float64[np.ndarray, " d"], rng: np.random.Generator
) -> Sensors:
    """Draws sensors whose readings are of the order of 1.

    Args:
        spread: how far each dimension of the observation typically spreads.
        rng: everything is drawn from it.
    """
    size = len(spread)
    rotation = random_rotation(size, rng)
    scale = rng.uniform(0.3, 3.0, size) / spread
    return Sensors(rotation, scale, offset=rng.normal(size=size))


def random_rotation(size: int, rng: np.random.Generator) -> Float64[np.ndarray, "d d"]:
    """Draws an orthogonal matrix, all equally likely (Mezzadri, 2007)."""
    rotation, triangle = np.linalg.qr(rng.normal(size=(size, size)))
    # QR alone favours some rotations; with these signs it favours none.
    uniform: NDArray[np.float64] = rotation * np.where(
        np.diag(triangle) < 0.0, -1.0, 1.0
    )
    return uniform


class ActuatorMap(ABC):
    """From the actions of a target to those of its source, and back."""

    @property
    @abstractmethod
    def space(self) -> spaces.Space[Any]:
        """The actions of the target."""

    @abstractmethod
    def source_action(self, action: Any) -> Any:
        """Returns the source's action that the target's `action` causes."""

    @abstractmethod
    def target_action(self, action: Any) -> Any:
        """Returns the target's action that causes the source's `action`."""


@final
@dataclass(frozen=True, eq=False)
class DiscreteActuatorMap(ActuatorMap):
    """Permutes discrete actions."""

    source: spaces.Discrete
    order: Int64[np.ndarray, " action"]
    """Of each target action, counted from 0, the source action that it causes."""

    @cached_property
    @override
    def space(self) -> spaces.Discrete:
        return spaces.Discrete(int(self.source.n), start=int(self.source.start))

    @override
    def source_action(self, action: Any) -> int:
        return self._moved(action, self.order)

    @override
    def target_action(self, action: Any) -> int:
        return self._moved(action, np.argsort(self.order))

    def _moved(self, action: Any, order: Int64[np.ndarray, " action"]) -> int:
        # A negative index would silently count from the end.
        if not self.source.contains(action):
            raise InputError(f"actions must be in {self.space}, got {action!r}")
        start = int(self.source.start)
        return int(order[int(action) - start]) + start


@final
@dataclass(frozen=True, eq=False)
class ContinuousActuatorMap(ActuatorMap):
    """Permutes continuous actions and reverses some of them."""

    source: spaces.Box
    order: Int64[np.ndarray, " action"]
    """Of each source motor, the target motor that drives it."""
    sign: Float64[np.ndarray, " action"]
    """Of each source motor, -1 if reversed, else 1."""

    @cached_property
    @override
    def space(self) -> spaces.Box:
        driven_by = np.argsort(self.order)
        return spaces.Box(
            self.source.low[driven_by].astype(np.float32),
            self.source.high[driven_by].astype(np.float32),
        )

    @cached_property
    def _mirror(self) -> Float64[np.ndarray, " action"]:
        # Reversing about the centre of the range swaps its ends, for any range. In
        # double precision the swapped ends are exact.
        return self.source.low.astype(np.float64) + self.source.high.astype(np.float64)

    @override
    def source_action(self, action: Any) -> NDArray[Any]:
        ordered = self._checked(action)[self.order]
        signed: NDArray[Any] = np.where(self.sign < 0, self._mirror - ordered, ordered)
        return signed.astype(self.source.dtype)

    @override
    def target_action(self, action: Any) -> NDArray[Any]:
        ordered = self._checked(action)
        signed = np.where(self.sign < 0, self._mirror - ordered, ordered)
        return signed[np.argsort(self.order)].astype(np.float32)

    def _checked(self, action: Any) -> Float64[np.ndarray, " action"]:
        # Only the shape: values outside the bounds are the source's to handle.
        values = np.asarray(action, dtype=np.float64)
        if values.shape != self.source.shape:
            raise InputError(
                f"actions must have shape {self.source.shape}, got {values.shape}"
            )
        return values


def random_actuator_map(
    source: spaces.Space[Any], rng: np.random.Generator
) -> ActuatorMap:
    """Draws a map to the actions of `source`.

    Raises:
        InputError: there are no such maps for this space.
    """
    if isinstance(source, spaces.Discrete):
        return DiscreteActuatorMap(source, rng.permutation(int(source.n)))
    if not isinstance(source, spaces.Box) or len(source.shape) != 1:
        raise InputError(
            f"only Discrete actions and vectors (Box) can be permuted, got {source}; "
            "choose another base, or flatten its actions and register that"
        )
    if not source.is_bounded():
        raise InputError(
            f"actions without bounds cannot be reversed, got {source}; "
            "choose another base, or bound its actions with "
            "gymnasium.wrappers.RescaleAction and register that"
        )
    order = rng.permutation(source.shape[0])
    return ContinuousActuatorMap(
        source, order, rng.choice([-1.0, 1.0], source.shape[0])
    )


@final
@dataclass(frozen=True, eq=False)
class Numbers:
    """Shows numbered states by other numbers."""

    source: spaces.Discrete
    order: Int64[np.ndarray, " state"]
    """Of each state, counted from 0, the number that is shown."""

    def reading(self, observation: Any) -> np.int64:
        """Returns what is shown of a state."""
        start = int(self.source.start)
        return np.int64(self.order[int(observation) - start] + start)

    def observation(self, reading: Any) -> np.int64:
        """Returns what was observed: the inverse of `reading`."""
        start = int(self.source.start)
        return np.int64(np.argsort(self.order)[int(reading) - start] + start)


@final
@dataclass(frozen=True, eq=False)
class TrueMapping:
    """Sensors and actuators of a scrambled environment, for tests to compare with."""

    sensors: Sensors | Numbers
    actuators: ActuatorMap
