"""What an observation and a reward must be, so that networks can learn from them."""

import math
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias, final

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from rltransfer.wrappers.env_faults import Cause

# Networks, and the statistics that normalise for them, compute in single precision.
LARGEST = float(np.finfo(np.float32).max)
_FEW = 32

Check: TypeAlias = Callable[[str, Any], Any]
"""Takes what to call an observation, and the observation; returns it, checked."""


@final
class ArrayCheck:
    """Checks observations that are one array.

    Args:
        space: of the observations.
        dtype: that they shall have; by default as the space says.
    """

    def __init__(self, space: gym.Space[Any], dtype: Any = None) -> None:
        assert space.shape is not None
        self.shape = space.shape
        self.dtype: np.dtype[Any] = np.dtype(space.dtype if dtype is None else dtype)
        self._space = space
        self._choices = counted_choices(space)

    def __call__(self, name: str, observation: Any) -> NDArray[Any]:
        """Returns a copy of the observation in its type.

        Raises:
            Cause: it has another shape or type, or holds what is not finite.
        """
        try:
            # A copy: environments may go on writing into what they have shown.
            array = np.array(observation)
            if array.dtype != self.dtype:
                array = self._cast(name, array)
        except (TypeError, ValueError) as fault:
            raise Cause(f"{name} is no array: {fault}", _OTHER_SPACE) from fault
        if array.shape != self.shape:
            raise Cause(
                f"{name} has shape {array.shape}, not {self.shape}", _OTHER_SPACE
            )
        if not fits_single_precision(array):
            place = tuple(int(i) for i in np.argwhere(~(np.abs(array) <= LARGEST))[0])
            value = array[place]
            indices = ", ".join(map(str, place))
            raise Cause(
                f"{name} {_excess(value)}: [{indices}] is {value}", _remedy(value)
            )
        choices = self._choices
        if choices is not None and not ((array >= 0) & (array < choices)).all():
            raise Cause(f"{name} {observation} is outside {self._space}", _OTHER_SPACE)
        return array

    def _cast(self, name: str, array: NDArray[Any]) -> NDArray[Any]:
        if array.dtype.kind not in "biuf":
            raise Cause(
                f"{name} has type {array.dtype}, not {self.dtype}", _OTHER_SPACE
            )
        with np.errstate(all="ignore"):
            cast = array.astype(self.dtype)
        # What is too large for a float becomes infinite and is seen later; a whole
        # number has nothing that would show it.
        if self.dtype.kind in "biu" and not np.array_equal(cast, array):
            raise Cause(f"{name} does not fit {self.dtype}: {array}", _OTHER_SPACE)
        return cast


_OTHER_SPACE = "let observation_space say what the environment shows"


def check_for(space: gym.Space[Any], dtype: Any = None) -> Check:
    """Returns what checks the observations of `space`.

    Args:
        space: Dict and Tuple spaces are checked part by part.
        dtype: of observations that are one Box.
    """
    if isinstance(space, spaces.Dict | spaces.Tuple):
        pairs = space.items() if isinstance(space, spaces.Dict) else enumerate(space)
        return _parts_check({key: check_for(part) for key, part in pairs}, space)
    if space.shape is not None:
        return ArrayCheck(space, dtype if isinstance(space, spaces.Box) else None)

    def check_any(name: str, observation: Any) -> Any:
        if not space.contains(observation):
            raise Cause(f"{name} {observation!r} is outside {space}", _OTHER_SPACE)
        return observation

    return check_any


def _parts_check(parts: dict[Any, Check], space: gym.Space[Any]) -> Check:
    is_dict = isinstance(space, spaces.Dict)
    form = f"dict of {', '.join(parts)}" if is_dict else f"tuple of {len(parts)} parts"

    def check_parts(name: str, observation: Any) -> Any:
        keys: Any = None
        if isinstance(observation, Mapping if is_dict else tuple):
            keys = observation if is_dict else range(len(observation))
        if keys is None or set(keys) != set(parts):
            raise Cause(f"{name} is no {form}: {observation!r}", _OTHER_SPACE)
        checked = {
            key: check(f"{name}[{key!r}]", observation[key])
            for key, check in parts.items()
        }
        return checked if is_dict else tuple(checked.values())

    return check_parts


def checked_reward(reward: Any) -> float:
    """Returns a reward as a number.

    Raises:
        Cause: it is none, or not finite.
    """
    try:
        number = float(reward)
    except (TypeError, ValueError):
        raise Cause(
            f"reward is no number: {reward!r}", "let step return one number as reward"
        ) from None
    if not -LARGEST <= number <= LARGEST:
        raise Cause(f"reward {_excess(number)}: {number}", _remedy(number))
    return number


def fits_single_precision(array: NDArray[Any]) -> bool:
    """Tells whether all numbers are finite in single precision."""
    # For a few numbers this takes a third of NumPy's time: where the sum is small
    # enough, all are, and NaN is smaller than nothing.
    if array.size <= _FEW and sum(map(abs, array.ravel().tolist())) <= LARGEST:
        return True
    return bool((np.abs(array) <= LARGEST).all())


def counted_choices(space: gym.Space[Any]) -> Any:
    """Returns how many values each number may take, None where they are not counted."""
    match space:
        case spaces.Discrete():
            return int(space.n)
        case spaces.MultiDiscrete():
            return space.nvec
        case spaces.MultiBinary():
            return np.full(space.shape, 2)
    return None


def _excess(number: Any) -> str:
    finite = math.isfinite(number)
    return "is too large for single precision" if finite else "is not finite"


def _remedy(number: Any) -> str:
    if math.isfinite(number):
        return "give it in another unit, or clip it in a wrapper"
    return "look for a division by zero or an overflow in what computes it"
