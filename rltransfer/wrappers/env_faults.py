"""What an environment did wrong when it raised, in words that lead to the cause."""

import re
import traceback
from inspect import signature
from pathlib import Path
from typing import Any, final

import gymnasium as gym
from typing_extensions import override

from rltransfer.errors import EnvironmentFault


@final
class Cause(Exception):
    """What an environment did wrong; becomes a fault where it has a name.

    Args:
        what: went wrong.
        remedy: what to do about it.
    """

    def __init__(self, what: str, remedy: str) -> None:
        super().__init__(what, remedy)
        self.what, self.remedy = what, remedy


OLD_GYM = (
    "this is the interface of old Gym: put rltransfer.wrappers.OldGymEnv around the "
    "environment where it is registered"
)
_STEP_FORM = "return observation, reward, terminated, truncated, info"
_NO_SEED = re.compile(r"unexpected keyword argument '(seed|options)'")
_FOUR_VALUES = re.compile(r"expected 5, got 4")


def env_fault(name: str, step: int, cause: Cause) -> EnvironmentFault:
    """Returns a fault in one line.

    Args:
        name: of the environment.
        step: how many it had taken.
        cause: of the fault.
    """
    what = " ".join(cause.what.split())
    return EnvironmentFault(f"{name}, step {step}: {what[:400]}; {cause.remedy}")


def raised_cause(call: str, fault: BaseException) -> Cause:
    """Returns what an exception out of an environment says.

    Args:
        call: what was called, "reset" or "step with action 1".
        fault: the exception.
    """
    text = str(fault)
    if isinstance(fault, TypeError) and (found := _NO_SEED.search(text)):
        return Cause(f"{call} takes no {found[1]}", OLD_GYM)
    if isinstance(fault, ValueError) and _FOUR_VALUES.search(text):
        return Cause(f"{call} returned 4 values, not 5", OLD_GYM)
    return Cause(
        f"{call} raised {type(fault).__name__}: {text}", f"see {_place(fault)}"
    )


def step_cause(result: Any) -> Cause:
    """Returns what is wrong with the form of what `step` returned."""
    if not isinstance(result, tuple):
        return Cause(f"step returned {result!r}, not 5 values", _STEP_FORM)
    if len(result) == 4:
        return Cause("step returned 4 values, not 5", OLD_GYM)
    if len(result) != 5:
        return Cause(f"step returned {len(result)} values, not 5", _STEP_FORM)
    ends = f"terminated {result[2]!r} and truncated {result[3]!r}"
    return Cause(f"step returned {ends}, not two of True or False", _STEP_FORM)


def info_cause(info: Any) -> Cause:
    """Returns what is wrong with an info that is no dict."""
    return Cause(f"info is no dict: {info!r}", "return {} where there is nothing")


def late_cause(call: str, seconds: float) -> Cause:
    """Returns what is wrong with a call that lasts too long."""
    return Cause(
        f"{call} has not come back for {seconds:g} s",
        "allow more with --step-seconds, or find what it waits for",
    )


def _place(fault: BaseException) -> str:
    frames = traceback.extract_tb(fault.__traceback__)
    # Where the environment calls a library, its own line says more.
    own = [frame for frame in frames if "site-packages" not in frame.filename]
    frame = (own or list(frames))[-1] if frames else None
    return f"{Path(frame.filename).name}, line {frame.lineno}" if frame else "its code"


@final
class OldGymEnv(gym.Env[Any, Any]):
    """Translates the calls and results of an environment of old Gym.

    Knows `reset` without info, without `seed` or without `options`, and `step` with
    one `done` instead of `terminated` and `truncated`. For instance::

        gymnasium.register("Old-v0", entry_point=lambda **kw: OldGymEnv(Old(**kw)))

    Args:
        env: has `reset`, `step` and spaces of Gymnasium. What the package `gym`
            registers goes through Shimmy instead, which translates its spaces too:
            `gymnasium.make("GymV21Environment-v0", env_id=…)`.
    """

    def __init__(self, env: Any) -> None:
        self._env = env
        self.observation_space = env.observation_space
        self.action_space = env.action_space
        self.render_mode = getattr(env, "render_mode", None)
        self._taken = tuple(signature(env.reset).parameters)

    @override
    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        given = {"seed": seed, "options": options}
        known = {name: given[name] for name in self._taken if name in given}
        if seed is not None and "seed" not in known and hasattr(self._env, "seed"):
            self._env.seed(seed)
        result = self._env.reset(**known)
        if isinstance(result, tuple) and len(result) == 2:
            return result[0], dict(result[1])
        return result, {}

    @override
    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        result = self._env.step(action)
        if len(result) == 5:
            observation, reward, terminated, truncated, info = result
            return observation, reward, terminated, truncated, info
        observation, reward, done, info = result
        # Gym's own time limit says so; any other end is an end of the task.
        truncated = bool(done and info.get("TimeLimit.truncated", False))
        return observation, reward, bool(done) and not truncated, truncated, info

    @override
    def render(self) -> Any:
        return self._env.render()

    @override
    def close(self) -> None:
        self._env.close()
