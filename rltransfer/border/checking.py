"""Where environments hand over: every step is looked at, and faults are named."""

import math
from typing import Any, TypeAlias, final

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from rltransfer.border.hanging import HangAlarm
from rltransfer.border.workers import Lost
from rltransfer.errors import EnvironmentFault, UserError

Step: TypeAlias = tuple[NDArray[Any], float, bool, bool, dict[str, Any]]
"""Observation, reward, terminated, truncated, info: as in Gymnasium, and sound."""

# An environment that wants to end the process is as faulty as one that raises.
_FAULTS = (Exception, SystemExit)
_FEW = 16


@final
class Border:
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
        self.env = env
        self.name = name
        self.alarm = HangAlarm()
        """Told of every call; rings once it is installed."""
        self.steps = 0
        """Taken since the environment was made."""
        self.calls = 0
        self._shape = space.shape
        self._dtype: np.dtype[Any] = np.dtype(space.dtype if dtype is None else dtype)

    def reset(self, seed: int | None = None) -> NDArray[Any]:
        """Starts an episode and returns its first observation."""
        self.calls += 1
        self.alarm.watched = self
        try:
            observation, _ = self.env.reset(seed=seed)
        except UserError:
            raise
        except Lost as loss:
            raise self.fault("reset", str(loss)) from loss
        except _FAULTS as fault:
            raise self.fault("reset", _raised(fault)) from fault
        finally:
            self.alarm.watched = None
        return self._checked("observation of reset", observation)

    def step(self, action: Any) -> Step:
        """Takes one step and returns what it brought."""
        self.steps += 1
        self.calls += 1
        self.alarm.watched = self
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
            self.alarm.watched = None
        try:
            reward = float(reward)
        except (TypeError, ValueError):
            raise self.fault("reward", f"is no number: {reward!r}") from None
        if not math.isfinite(reward):
            raise self.fault("reward", f"is not finite: {reward}")
        if not isinstance(info, dict):
            raise self.fault("info", f"is no dict: {info!r}")
        observation = self._checked("observation", observation)
        return observation, reward, terminated, truncated, info

    def hung(self, seconds: float) -> EnvironmentFault:
        """Returns the fault of an environment that does not come back."""
        return self.fault("step", f"has not come back for {seconds:g} s")

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
            if array.dtype != self._dtype:
                if array.dtype.kind not in "biuf":
                    what = f"has type {array.dtype}, not {self._dtype}"
                    raise self.fault(field, what)
                # What is too large for the type becomes infinite, and is seen below.
                with np.errstate(over="ignore"):
                    array = array.astype(self._dtype)
        except (TypeError, ValueError) as fault:
            raise self.fault(field, f"is no array: {fault}") from fault
        if array.shape != self._shape:
            raise self.fault(field, f"has shape {array.shape}, not {self._shape}")
        if not _is_finite(array):
            place = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
            told = ", ".join(map(str, place))
            raise self.fault(field, f"is not finite: [{told}] is {array[place]}")
        return array


def _is_finite(array: NDArray[Any]) -> bool:
    # For a few numbers this takes a third of NumPy's time. A sum of finite numbers may
    # be too large for a float; then the numbers are looked at one by one.
    if array.size <= _FEW and array.ndim == 1 and math.isfinite(sum(array.tolist())):
        return True
    return bool(np.isfinite(array).all())


def _raised(fault: BaseException) -> str:
    return f"raised {type(fault).__name__}: {fault}"
