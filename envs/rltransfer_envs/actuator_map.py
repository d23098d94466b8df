"""One-to-one maps from the actions of a target to those of its source."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import Any, final

import numpy as np
from gymnasium import spaces
from jaxtyping import Float64, Int64
from numpy.typing import NDArray
from typing_extensions import override

from rltransfer.errors import InputError


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
        start = int(self.source.start)
        return int(self.order[self._checked(action) - start]) + start

    @override
    def target_action(self, action: Any) -> int:
        start = int(self.source.start)
        return int(np.argsort(self.order)[self._checked(action) - start]) + start

    def _checked(self, action: Any) -> int:
        # A negative index would silently count from the end.
        if not self.source.contains(action):
            raise InputError(f"actions must be in {self.space}, got {action!r}")
        return int(action)


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
