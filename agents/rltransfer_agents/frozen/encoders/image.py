"""Observations that are pictures: the convolutions of Mnih et al. (2015) in NumPy.

Several times slower than torch for large batches, and without its need for torch.
"""

from dataclasses import dataclass
from typing import Any, final

import numpy as np
from jaxtyping import Float32
from numpy.typing import NDArray
from typing_extensions import override

from rltransfer_agents.frozen.encoders.encoder import (
    Encoder,
    Features,
    as_array,
    channels_first,
)
from rltransfer_agents.frozen.layers import Dense
from rltransfer_agents.frozen.normalisation import Normalisation

Pictures = Float32[NDArray[np.float32], "batch channel height width"]
Maps = Float32[NDArray[np.float32], "batch units map_height map_width"]


@final
@dataclass(frozen=True, eq=False)
class Convolution:
    """A convolution without padding, then the positive part."""

    weight: Float32[NDArray[np.float32], "units channel rows columns"]
    bias: Float32[NDArray[np.float32], " units"]
    stride: int

    def __call__(self, pictures: Pictures) -> Maps:
        """Returns the pictures convolved, with `units` channels."""
        windows = np.lib.stride_tricks.sliding_window_view(
            pictures, self.weight.shape[2:], axis=(2, 3)
        )[:, :, :: self.stride, :: self.stride]
        units = np.tensordot(windows, self.weight, axes=((1, 4, 5), (1, 2, 3)))
        units += self.bias
        return np.maximum(units, 0, out=units).transpose(0, 3, 1, 2)


@final
@dataclass(frozen=True, eq=False)
class Image(Encoder):
    """Scales a picture, convolves it and projects the result."""

    shape: tuple[int, int, int]
    """Channels first, as Stable-Baselines3 stores it."""
    divisor: float
    """255 for pictures of bytes, 1 for pictures that are normalised already."""
    convolutions: tuple[Convolution, ...]
    projection: Dense
    normalisation: Normalisation | None = None

    @override
    def __call__(self, observation: Any) -> Features:
        array = as_array(observation)
        if array.shape != self.shape and array.shape[1:] != self.shape:
            array = channels_first(array, self.shape)
        if self.normalisation is not None:
            array = self.normalisation(array)
        pictures = array.reshape(-1, *self.shape).astype(np.float32)
        pictures /= np.float32(self.divisor)
        for convolution in self.convolutions:
            pictures = convolution(pictures)
        features = self.projection(pictures.reshape(len(pictures), -1))
        return features if array.ndim == 4 else features[0]
