"""Sensors that show an observation turned, scaled and shifted."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, final

import numpy as np
from jaxtyping import Float32, Float64
from numpy.typing import NDArray


@final
@dataclass(frozen=True, eq=False)
class Sensors:
    """reading = turn · (scale * observation) + offset."""

    turn: Float64[np.ndarray, "d d"]
    """Orthogonal: a rotation, or a rotation and a reflection."""
    scale: Float64[np.ndarray, " d"]
    """Positive."""
    offset: Float64[np.ndarray, " d"]

    @cached_property
    def matrix(self) -> Float64[np.ndarray, "d d"]:
        """The linear part: reading = matrix · observation + offset."""
        matrix: NDArray[np.float64] = self.turn * self.scale
        return matrix

    def reading(self, observation: NDArray[Any]) -> Float32[np.ndarray, "*b d"]:
        """Returns what the sensors show, of one observation or of many."""
        shown: NDArray[np.float64] = observation @ self.matrix.T + self.offset
        return shown.astype(np.float32)

    def observation(self, reading: NDArray[Any]) -> Float64[np.ndarray, "*b d"]:
        """Returns what was observed: the inverse of `reading`."""
        turned_back: NDArray[np.float64] = (reading - self.offset) @ self.turn
        observation: NDArray[np.float64] = turned_back / self.scale
        return observation


def unknown_sensors(
    spread: Float64[np.ndarray, " d"], rng: np.random.Generator
) -> Sensors:
    """Draws sensors whose readings are of the order of 1.

    Args:
        spread: how far each dimension of the observation typically spreads.
        rng: everything is drawn from it.
    """
    size = len(spread)
    turn, triangle = np.linalg.qr(rng.normal(size=(size, size)))
    # QR alone favours some turns; with these signs all are equally likely
    # (Mezzadri, 2007).
    turn = turn * np.where(np.diag(triangle) < 0.0, -1.0, 1.0)
    scale = rng.uniform(0.3, 3.0, size) / spread
    return Sensors(turn, scale, offset=rng.normal(size=size))
