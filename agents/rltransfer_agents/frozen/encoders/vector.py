"""Observations that are numbers already."""

from dataclasses import dataclass
from typing import Any, final

import numpy as np
from typing_extensions import override

from rltransfer_agents.frozen.encoders.encoder import (
    Encoder,
    Features,
    as_array,
    channels_first,
)
from rltransfer_agents.frozen.normalisation import Normalisation


@final
@dataclass(frozen=True, eq=False)
class Vector(Encoder):
    """Flattens Box and MultiBinary observations, normalised where the agent was."""

    shape: tuple[int, ...]
    normalisation: Normalisation | None = None
    divisor: float = 1.0
    """255 where Stable-Baselines3 takes the observation for an image."""

    @override
    def __call__(self, observation: Any) -> Features:
        array = as_array(observation)
        if array.shape != self.shape and array.shape[1:] != self.shape:
            array = channels_first(array, self.shape)
        if self.normalisation is not None:
            array = self.normalisation(array)
        if len(self.shape) != 1:
            batch = array.shape[: array.ndim - len(self.shape)]
            array = array.reshape(*batch, -1)
        features = array.astype(np.float32, copy=False)
        if self.divisor != 1:
            features = features / np.float32(self.divisor)
        return features
