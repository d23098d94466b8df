"""The contract of all encoders."""

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
from jaxtyping import Float32
from numpy.typing import NDArray

from rltransfer.errors import InputError

Features = Float32[NDArray[np.float32], "*batch feature"]


class Encoder(ABC):
    """Turns one observation, or a batch of them, into rows of features."""

    @abstractmethod
    def __call__(self, observation: Any) -> Features:
        """Returns features: one row for one observation, rows for a batch.

        Raises:
            InputError: if the observation is of another shape.
        """


def as_array(observation: Any) -> NDArray[Any]:
    """Returns an observation as an array."""
    try:
        return np.asarray(observation)
    except ValueError as fault:
        raise InputError(
            "an observation must be one array, got "
            f"{type(observation).__name__} of unequal parts; "
            "of what env.reset() returns, pass the first part"
        ) from fault


def unfit(shape: tuple[int, ...], expected: tuple[int, ...]) -> InputError:
    """Returns the fault of an observation whose shape is not the policy's."""
    return InputError(
        f"an observation must have shape {expected}, or that with a batch in front; "
        f"got {shape}; use the environment the agent was trained in, or a mapping"
    )


def channels_first(array: NDArray[Any], expected: tuple[int, ...]) -> NDArray[Any]:
    """Returns pictures whose channels come last in the order of `expected`.

    Raises:
        InputError: if the observation does not have that shape either.
    """
    # Environments show height, width, channel; Stable-Baselines3 stores channel first.
    if len(expected) == 3 and array.ndim >= 3:
        moved = np.moveaxis(array, -1, -3)
        if expected in (moved.shape, moved.shape[1:]):
            return moved
    raise unfit(array.shape, expected)
