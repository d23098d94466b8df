"""Where environments hand over: every step is looked at, and faults are named."""

import math
from collections.abc import Sequence
from typing import Any, TypeAlias, final

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from rltransfer.errors import EnvironmentFault, UserError
from rltransfer.wrappers.step_timeout import StepTimeout
from rltransfer.wrappers.subprocess_env import Lost

Step: TypeAlias = tuple[NDArray[Any], float, bool, bool, dict[str, Any]]
"""Observation, reward, terminated, truncated, info: as in Gymnasium, and sound."""
Taken: TypeAlias = tuple[Any, Any, bool, bool, dict[str, Any]]
"""The same, observation and reward as the environment gave them."""

# An environment that wants to end the process is as faulty as one that raises.
_FAULTS = (Exception, SystemExit)
_FEW = 32
# Networks, and the statistics that normalise for them, compute in single precision.
_LARGEST = float(np.finfo(np.float32).max)


@final
class CheckedEnv:
    """An environment whose observations and rewards are sound, or a fault.

    Args:
        env: shows arrays of one shape.
        name: what faults call it.
        dtype: of observations; by default as the space says.

    Raises:
        EnvironmentFault: from every method; names environment, step and field.
    """

    def __init__(self, env: gym.Env[Any, Any], name: str, dtype: Any = None) -> None:
        space = env.observation_space
        assert space.shape is not None
        self.env = env
        self.name = name
        self.timeout = StepTimeout()
        """Told of every call; rings once it is installed."""
        self.steps = 0
        """Taken since the environment was made."""
        self.calls = 0
        self._called = "reset"
        self.shape = space.shape
        """Of observations."""
        self.dtype: np.dtype[Any] = np.dtype(space.dtype if dtype is None else dtype)

    def reset(self, seed: int | None = None) -> NDArray[Any]:
        """Starts an episode and returns its first observation."""
        self.calls += 1
        self._called = "reset"
        self.timeout.watched = self
        try:
            observation, _ = self.env.reset(seed=seed)
        except UserError:
            raise
        except Lost as loss:
            raise self.fault("reset", str(loss)) from loss
        except _FAULTS as fault:
            raise self.fault("reset", _raised(fault)) from fault
        finally:
            self.timeout.watched = None
        return self._checked("observation of reset", observation)

    def step(self, action: Any) -> Step:
        """Takes one step and returns what it brought."""
        observation, reward, terminated, truncated, info = self.take(action)
        observation, reward = self.sound(observation, reward)
        return observation, reward, terminated, truncated, info

    def take(self, action: Any) -> Taken:
        """Takes one step; observation and reward are still to be looked at."""
        self.steps += 1
        self.calls += 1
        self._called = "step"
        self.timeout.watched = self
        try:
            observation, reward, terminated, truncated, info = self.env.step(action)
            # Of an array, say, this is ambiguous.
            terminated, truncated = bool(terminated), bool(truncated)
        except UserError:
            raise
        except Lost as loss:
            raise self.fault("step", str(loss)) from loss
        except _FAULTS as fault:
            raise self.fault(
                "step", f"with action {action} {_raised(fault)}"
            ) from fault
        finally:
            self.timeout.watched = None
        if not isinstance(info, dict):
            raise self.fault("info", f"is no dict: {info!r}")
        return observation, reward, terminated, truncated, info

    def sound(self, observation: Any, reward: Any) -> tuple[NDArray[Any], float]:
        """Returns both as they should be: of the space, and finite."""
        try:
            number = float(reward)
        except (TypeError, ValueError):
            raise self.fault("reward", f"is no number: {reward!r}") from None
        if not -_LARGEST <= number <= _LARGEST:
            raise self.fault("reward", f"{_excess(number)}: {number}")
        return self._checked("observation", observation), number

    def hung(self, seconds: float) -> EnvironmentFault:
        """Returns the fault of an environment that does not come back."""
        return self.fault(self._called, f"has not come back for {seconds:g} s")

    def fault(self, field: str, what: str) -> EnvironmentFault:
        """Returns a fault that names environment, step and field, in one line."""
        told = " ".join(f"{field} {what}".split())
        return EnvironmentFault(
            f"{self.name}, step {self.steps}: {told[:400]}; mend the environment or "
            "wrap it so that every value is finite and of its space"
        )

    def _checked(self, field: str, observation: Any) -> NDArray[Any]:
        try:
            # A copy: environments may go on writing into what they have shown.
            array = np.array(observation)
            if array.dtype != self.dtype:
                array = self._cast(field, array)
        except (TypeError, ValueError) as fault:
            raise self.fault(field, f"is no array: {fault}") from fault
        if array.shape != self.shape:
            raise self.fault(field, f"has shape {array.shape}, not {self.shape}")
        if not _fits(array):
            place = tuple(int(i) for i in np.argwhere(~(np.abs(array) <= _LARGEST))[0])
            told = ", ".join(map(str, place))
            value = array[place]
            raise self.fault(field, f"{_excess(value)}: [{told}] is {value}")
        return array

    def _cast(self, field: str, array: NDArray[Any]) -> NDArray[Any]:
        if array.dtype.kind not in "biuf":
            raise self.fault(field, f"has type {array.dtype}, not {self.dtype}")
        with np.errstate(all="ignore"):
            cast = array.astype(self.dtype)
        # What is too large for a float becomes infinite and is seen later; a whole
        # number has nothing that would show it.
        if self.dtype.kind in "biu" and not np.array_equal(cast, array):
            raise self.fault(field, f"does not fit {self.dtype}: {array}")
        return cast


def sound_together(
    checked_envs: Sequence[CheckedEnv],
    observations: Sequence[Any],
    rewards: Sequence[Any],
) -> tuple[NDArray[Any], list[float]]:
    """Looks at what several borders took, at little more than the price of one.

    Args:
        checked_envs: to environments of one kind.
        observations: of each, as `take` returned it.
        rewards: of each.

    Returns:
        Observations, stacked, and rewards.

    Raises:
        EnvironmentFault: of the first whose step is not sound.
    """
    try:
        stacked = np.array(observations)
        paid = [float(reward) for reward in rewards]
        if (
            stacked.shape == (len(checked_envs), *checked_envs[0].shape)
            and stacked.dtype == checked_envs[0].dtype
            and sum(map(abs, paid)) <= _LARGEST
            and _fits(stacked)
        ):
            return stacked, paid
    except (TypeError, ValueError):
        pass  # which of them it was is found out below
    sound = [
        checked.sound(observation, reward)
        for checked, observation, reward in zip(
            checked_envs, observations, rewards, strict=True
        )
    ]
    return np.array([row for row, _ in sound]), [number for _, number in sound]


def _fits(array: NDArray[Any]) -> bool:
    # For a few numbers this takes a third of NumPy's time: where the sum is small
    # enough, all are, and NaN is smaller than nothing.
    if array.size <= _FEW and sum(map(abs, array.ravel().tolist())) <= _LARGEST:
        return True
    return bool((np.abs(array) <= _LARGEST).all())


def _excess(number: Any) -> str:
    finite = math.isfinite(number)
    return "is too large for single precision" if finite else "is not finite"


def _raised(fault: BaseException) -> str:
    return f"raised {type(fault).__name__}: {fault}"
