"""Observations brought to the scale the agent was trained on."""

from dataclasses import dataclass
from typing import Any, final

import numpy as np
from jaxtyping import Float, Shaped
from numpy.typing import NDArray


@final
@dataclass(frozen=True, eq=False)
class Normalisation:
    """Subtracts a mean, divides by a deviation, clips: as `VecNormalize` does.

    It stays a step of its own: where the clipping bites, no first layer can express it.
    """

    mean: Float[NDArray[np.float64], "*observation"]
    deviation: Float[NDArray[np.float64], "*observation"]
    clip: float

    @classmethod
    def of(
        cls,
        mean: Float[NDArray[np.float64], "*observation"],
        variance: Float[NDArray[np.float64], "*observation"],
        *,
        epsilon: float = 1e-8,
        clip: float = 10.0,
    ) -> "Normalisation":
        """Returns the normalisation with running statistics as `VecNormalize` keeps."""
        return cls(mean, np.sqrt(variance + epsilon), clip)

    def __call__(
        self, observation: Shaped[NDArray[Any], "*batch_and_observation"]
    ) -> Float[NDArray[np.float64], "*batch_and_observation"]:
        """Returns observations in the scale the network was trained on."""
        # In double precision: a large mean would swallow small deviations in single.
        normalised: NDArray[np.float64] = observation - self.mean
        normalised /= self.deviation
        np.minimum(normalised, self.clip, out=normalised)
        return np.maximum(normalised, -self.clip, out=normalised)
