"""Observations as vectors: the one place where they are encoded.

What a mapping is between are vectors. A vector stands for itself; a numbered state has
no distances to others, so it is one-hot: a place of its own. Of a picture the vector
has the brightness of each pixel.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, final

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray
from typing_extensions import override

from rltransfer.errors import InputError

MOST_PIXELS = 4_608
"""Of all frames of an observation: two of 48 x 48. Thousands of them are kept."""
_WHITE = 255
"""Brightest pixel."""
MOST_STATES = 1_000
"""That may be numbered: a table of where each action leads from each grows squared."""


class ObservationCodec(ABC):
    """Observations of one space as vectors of a fixed size; one, or one per row.

    States are counted from 0, whatever the `start` of their space.
    """

    size: int
    """Length of an encoded observation."""
    numbered: bool
    """Whether observations are numbers of states, encoded one-hot."""
    picture: tuple[int, int, int] | None = None
    """Channels, height and width of the picture that the vector begins with, if any."""

    @abstractmethod
    def encode(self, observation: Any) -> NDArray[np.float32]:
        """Returns `observation` as a vector.

        Raises:
            InputError: there is no such state.
        """

    @abstractmethod
    def decode(self, vector: NDArray[Any]) -> Any:
        """Returns the observation nearest to `vector`, as a policy is shown it."""


@final
class VectorObservations(ObservationCodec):
    """Vectors of numbers, among them those of zeros and ones; nothing is changed."""

    numbered = False

    def __init__(self, size: int) -> None:
        self.size = size

    @override
    def encode(self, observation: Any) -> NDArray[np.float32]:
        return np.asarray(observation, np.float32)

    @override
    def decode(self, vector: NDArray[Any]) -> NDArray[Any]:
        return vector


@final
class OneHotObservations(ObservationCodec):
    """Numbered states, each a one-hot vector."""

    numbered = True

    def __init__(self, size: int) -> None:
        self.size = size
        self._rows = np.eye(size, dtype=np.float32)
        self._rows.flags.writeable = False

    @override
    def encode(self, observation: Any) -> NDArray[np.float32]:
        number = np.asarray(observation)
        if number.dtype.kind not in "iu" or not np.all(
            (number >= 0) & (number < self.size)
        ):
            raise InputError(
                f"states are counted from 0 to {self.size - 1}, got {observation}; use "
                "the environment that the mapping was made for"
            )
        # A plain number gives a view: thousands of rows are then kept at no cost.
        rows: NDArray[np.float32] = self._rows[number if number.ndim else int(number)]
        return rows

    @override
    def decode(self, vector: NDArray[Any]) -> Any:
        return vector.argmax(axis=-1)


@final
class PictureObservations(ObservationCodec):
    """Pictures, alone or in a Dict with numbers beside them.

    The vector has the pixels first, from 0 to 1, then the numbers.

    Args:
        picture: channels, height and width.
        beside: how many numbers are beside it.
        keys: of the picture and of the numbers, where observations are dictionaries.
    """

    numbered = False

    def __init__(
        self,
        picture: tuple[int, int, int],
        beside: int = 0,
        keys: tuple[str, str] | None = None,
    ) -> None:
        self.picture = self._shape = picture
        self._keys = keys
        self._pixels = int(np.prod(picture))
        self.size = self._pixels + beside

    @override
    def encode(self, observation: Any) -> NDArray[np.float32]:
        parts = [observation] if self._keys is None else self._parts(observation)
        shown, *numbers = map(np.asarray, parts)
        if shown.shape[-3:] != self._shape:
            raise InputError(
                f"pictures must have the shape {self._shape} of the target's, got "
                f"{shown.shape}: hand over what the environment returns"
            )
        pixels = shown.astype(np.float32) / np.float32(_WHITE)
        flat = pixels.reshape(*pixels.shape[:-3], self._pixels)
        if not numbers:
            return flat
        return np.concatenate([flat, numbers[0].astype(np.float32)], axis=-1)

    def _parts(self, observation: Any) -> list[Any]:
        """Returns the picture and the numbers of a dictionary."""
        keys = self._keys or ()
        if not isinstance(observation, Mapping):
            told = type(observation).__name__
        elif {*keys} <= {*observation}:
            return [observation[key] for key in keys]
        else:
            told = str(sorted(observation))
        raise InputError(
            f"observations must be dictionaries with {' and '.join(keys)}, got {told}: "
            "hand over what the environment returns"
        )

    @override
    def decode(self, vector: NDArray[Any]) -> Any:
        flat, numbers = np.split(vector, [self._pixels], axis=-1)
        bright = np.clip(np.rint(flat * _WHITE), 0, _WHITE).astype(np.uint8)
        pixels = bright.reshape(*flat.shape[:-1], *self._shape)
        if self._keys is None:
            return pixels
        return {self._keys[0]: pixels, self._keys[1]: numbers}


def observation_codec_of(space: gym.Space[Any], name: str) -> ObservationCodec:
    """Returns the codec for the observations of `space`.

    Args:
        space: of the observations.
        name: of the environment, for the error.

    Raises:
        InputError: observations of this kind cannot be mapped.
    """
    match space:
        case spaces.Discrete() if space.n <= MOST_STATES:
            return OneHotObservations(int(space.n))
        case spaces.Box() | spaces.MultiBinary() if (
            len(space.shape) == 1 and space.shape[0]
        ):
            return VectorObservations(space.shape[0])
        case spaces.Box() if _is_picture(space):
            return PictureObservations(_layout(space))
        case spaces.Dict() if len(space) == 2:
            kinds = {_is_picture(part): (key, part) for key, part in space.items()}
            numbers = kinds.get(False, ("", None))[1]
            if True in kinds and isinstance(numbers, spaces.Box):
                key, picture = kinds[True]
                if len(numbers.shape) == 1:
                    keys = key, kinds[False][0]
                    return PictureObservations(_layout(picture), numbers.shape[0], keys)
    raise InputError(
        "observations must be a Box of one dimension, MultiBinary of one, grey frames "
        f"of at most {MOST_PIXELS:,} pixels, or Discrete of at most {MOST_STATES:,} "
        f"states, but {name} has {space}: " + _remedy(space)
    )


def _is_picture(space: gym.Space[Any]) -> bool:
    """Returns whether these are grey frames, of a size that can be mapped."""
    return (
        isinstance(space, spaces.Box)
        and space.dtype == np.uint8
        and len(space.shape) == 3
        and 0 < int(np.prod(space.shape)) <= MOST_PIXELS
        and space.shape[0] <= space.shape[-1]
        and bool((space.low == 0).all() and (space.high == _WHITE).all())
    )


def _layout(space: gym.Space[Any]) -> tuple[int, int, int]:
    assert space.shape is not None
    channels, height, width = space.shape
    return channels, height, width


def _remedy(space: gym.Space[Any]) -> str:
    flatten = "gymnasium.wrappers.FlattenObservation"
    match space:
        case spaces.Discrete():
            return (
                "show what the number is made of, with a gymnasium.ObservationWrapper"
            )
        case spaces.MultiDiscrete():
            return f"make its numbers one-hot with {flatten}"
        case spaces.MultiBinary() if 0 not in space.shape:
            return f"flatten them with {flatten}"
        case spaces.Dict() | spaces.Tuple():
            return (
                f"where all parts are numbers, join them with {flatten}; a Dict may "
                "have one Box of such frames and one of numbers"
            )
        case spaces.Box() if len(space.shape) > 2 or (
            len(space.shape) == 2 and space.dtype == np.uint8
        ):
            return (
                "stack grey uint8 frames, channels first, and make them smaller with "
                "a gymnasium.ObservationWrapper"
            )
        case spaces.Box() | spaces.MultiBinary() if 0 in space.shape:
            return "there is nothing to see in it; show at least one number"
        case spaces.Box():
            return f"flatten them with {flatten}"
        case _:
            return "show numbers instead, with a gymnasium.ObservationWrapper"
