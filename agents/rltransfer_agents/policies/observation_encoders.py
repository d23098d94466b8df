"""From an observation as the environment gives it to the features a network takes."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from jaxtyping import Float, Float32, Shaped
from numpy.typing import NDArray
from typing_extensions import override

from rltransfer.errors import InputError
from rltransfer_agents.policies.activations import Dense


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


Features = Float32[NDArray[np.float32], "*batch feature"]


class Encoder(ABC):
    """Turns one observation, or a batch of them, into rows of features."""

    @abstractmethod
    def __call__(self, observation: Any) -> Features:
        """Returns features: one row for one observation, rows for a batch.

        Raises:
            InputError: if the observation is of another shape.
        """


def _as_array(observation: Any) -> NDArray[Any]:
    try:
        return np.asarray(observation)
    except ValueError as fault:
        raise InputError(
            "an observation must be one array, got "
            f"{type(observation).__name__} of unequal parts; "
            "of what env.reset() returns, pass the first part"
        ) from fault


def _unfit(shape: tuple[int, ...], expected: tuple[int, ...]) -> InputError:
    return InputError(
        f"an observation must have shape {expected}, or that with a batch in front; "
        f"got {shape}; use the environment the agent was trained in, or a mapping"
    )


def _normalised(
    observation: Any, shape: tuple[int, ...], normalisation: Normalisation | None
) -> NDArray[Any]:
    """Returns an observation, or a batch, of `shape` with normalised numbers."""
    array = _as_array(observation)
    if shape not in (array.shape, array.shape[1:]):
        # Environments show height, width, channel; Stable-Baselines3 stores channel
        # first.
        pictures = len(shape) == 3 and array.ndim >= 3
        moved = np.moveaxis(array, -1, -3) if pictures else array
        if shape not in (moved.shape, moved.shape[1:]):
            raise _unfit(array.shape, shape)
        array = moved
    return array if normalisation is None else normalisation(array)


@final
@dataclass(frozen=True, eq=False)
class Vector(Encoder):
    """Flattens Box and MultiBinary observations, normalised where the agent was."""

    shape: tuple[int, ...]
    normalisation: Normalisation | None = None
    divisor: float = 1.0
    """255 where Stable-Baselines3 takes the observation for an image of bytes."""

    @override
    def __call__(self, observation: Any) -> Features:
        array = _normalised(observation, self.shape, self.normalisation)
        if len(self.shape) != 1:
            batch = array.shape[: array.ndim - len(self.shape)]
            array = array.reshape(*batch, -1)
        features = array.astype(np.float32, copy=False)
        if self.divisor != 1:
            features = features / np.float32(self.divisor)
        return features


@final
@dataclass(frozen=True, eq=False)
class OneHot(Encoder):
    """Encodes Discrete and MultiDiscrete observations, one block per component."""

    sizes: tuple[int, ...]
    single: bool
    """The space is Discrete: its observations are numbers, not rows."""

    @override
    def __call__(self, observation: Any) -> Features:
        indices = _as_array(observation)
        if self.single:
            # A vectorised environment gives [n], some wrappers give [n, 1].
            rows = indices.reshape(-1, 1) if indices.ndim else indices.reshape(1)
        else:
            rows = indices
        expected = (len(self.sizes),)
        if rows.shape != expected and rows.shape[1:] != expected:
            raise _unfit(indices.shape, () if self.single else expected)
        rows = rows.astype(np.int64)
        if (rows < 0).any() or (rows >= self.sizes).any():
            raise InputError(
                f"an observation must lie below {self.sizes}, got {indices.tolist()}; "
                "use the environment the agent was trained in"
            )
        blocks = [
            np.eye(size, dtype=np.float32)[rows[..., column]]
            for column, size in enumerate(self.sizes)
        ]
        return np.concatenate(blocks, axis=-1)


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
    """Convolves a picture and projects the result."""

    pixels: Vector
    """Of pictures whose channels come first, as Stable-Baselines3 stores them."""
    convolutions: tuple[Convolution, ...]
    projection: Dense

    @override
    def __call__(self, observation: Any) -> Features:
        pixels = self.pixels(observation)
        pictures = pixels.reshape(-1, *self.pixels.shape)
        for convolution in self.convolutions:
            pictures = convolution(pictures)
        features = self.projection(pictures.reshape(len(pictures), -1))
        return features if pixels.ndim == 2 else features[0]


@final
@dataclass(frozen=True, eq=False)
class Combined(Encoder):
    """Encodes each part of a Dict observation and joins the features in order."""

    parts: Mapping[str, Encoder]

    @override
    def __call__(self, observation: Any) -> Features:
        if not isinstance(observation, Mapping) or set(observation) != set(self.parts):
            given = (
                sorted(map(str, observation))
                if isinstance(observation, Mapping)
                else type(observation).__name__
            )
            raise InputError(
                f"an observation must have the parts {sorted(self.parts)}, "
                f"got {given}; use the environment the agent was trained in"
            )
        return np.concatenate(
            [encode(observation[name]) for name, encode in self.parts.items()], axis=-1
        )
