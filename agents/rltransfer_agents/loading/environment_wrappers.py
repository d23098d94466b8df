"""What a run of RL Zoo put around its environment, made again from a closed table.

`config.yml` names wrappers by module and class. Those of Gymnasium, Stable-Baselines3
and sb3-contrib that change what an agent sees or does are made, by functions of this
page and with arguments that are checked; nothing is imported by a name from a file.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, NamedTuple, final

import gymnasium as gym
import numpy as np
from gymnasium import wrappers
from pydantic import (
    ConfigDict,
    Field,
    StrictBool,
    StrictStr,
    TypeAdapter,
    ValidationError,
)

from rltransfer.errors import InputError
from rltransfer_agents.loading.refusal import Refusal, quoted
from rltransfer_agents.loading.zoo_wrappers import StackFrames, TimeFeature

AnyEnv = gym.Env[Any, Any]
_LARGEST = 10**6
_MOST_WRAPPERS = 16
_MISFITS: tuple[type[Exception], ...]
_MISFITS = (ArithmeticError, AssertionError, AttributeError, LookupError)
_MISFITS += (ImportError, TypeError, ValueError, gym.error.Error)


@final
@dataclass(frozen=True)
class EnvironmentWrapper:
    """A wrapper as a file names it: the class's name and plain arguments."""

    __pydantic_config__: ClassVar[ConfigDict] = {"extra": "forbid"}

    name: str
    """A key of the table, without the module."""
    kwargs: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        kwargs = ", ".join(f"{name}={value}" for name, value in self.kwargs.items())
        return f"{self.name}({kwargs})"


_Natural = Annotated[int, Field(strict=True, gt=0, le=_LARGEST)]
_Number = Annotated[float, Field(strict=True, ge=-_LARGEST, le=_LARGEST)]
_Size = _Natural | tuple[_Natural, _Natural]


class _Stock(NamedTuple):
    """A wrapper that can be made: where it is from, how, and its arguments."""

    origin: tuple[str, ...]
    make: Callable[..., AnyEnv]
    arguments: Mapping[str, Any] = {}
    """Each with the type that its value must have."""


def wrappers_of(settings: Mapping[str, Any]) -> tuple[EnvironmentWrapper, ...]:
    """Returns the wrappers that a run's `config.yml` names, the innermost first.

    Raises:
        Refusal: if one is not in the table, or its arguments are not in order.
    """
    found = [*_listed(settings.get("env_wrapper"))]
    if settings.get("history") is not None:
        raise _unknown("history")
    frames = settings.get("frame_stack")
    if frames is not None:
        found.append(("VecFrameStack", {"n_stack": frames}))
    found += _listed(settings.get("vec_env_wrapper"))
    if len(found) > _MOST_WRAPPERS:
        raise Refusal("wrapper", f"a run may name {_MOST_WRAPPERS} wrappers")
    checked = [checked_wrapper(path, kwargs) for path, kwargs in found]
    return tuple(wrapper for wrapper in checked if wrapper.name not in _WITHOUT_EFFECT)


def checked_wrapper(path: str, kwargs: Mapping[str, Any]) -> EnvironmentWrapper:
    """Returns a wrapper whose class is in the table and whose arguments are in order.

    Args:
        path: module and class, or the class alone.
        kwargs: of the class.

    Raises:
        Refusal: if that is not so.
    """
    module, _, name = path.rpartition(".")
    package = module.partition(".")[0]
    if name in _WITHOUT_EFFECT and package in ("", *_GYM, *_SB3):
        return EnvironmentWrapper(name)
    stock = _TABLE.get(name)
    if stock is None or (package and package not in stock.origin):
        raise _unknown(path)
    for key, value in kwargs.items():
        if key not in stock.arguments:
            takes = ", ".join(stock.arguments) or "no arguments"
            raise Refusal("wrapper", f"{name} takes {takes}, got {quoted(key)}")
        try:
            TypeAdapter(stock.arguments[key]).validate_python(value)
        except ValidationError as fault:
            told = f"{name} does not take {key}={quoted(value)}"
            raise Refusal("wrapper", told) from fault
    return EnvironmentWrapper(name, dict(kwargs))


def wrapped(env: AnyEnv, chosen: Sequence[EnvironmentWrapper]) -> AnyEnv:
    """Returns an environment inside the wrappers, the first of them innermost.

    Raises:
        InputError: if a wrapper does not fit the environment.
    """
    for wrapper in chosen:
        try:
            env = _TABLE[wrapper.name].make(env, **wrapper.kwargs)
        except _MISFITS as fault:
            reason = " ".join(str(fault).split()) or type(fault).__name__
            raise InputError(
                f"the run's wrapper {wrapper} does not fit the environment ({reason}); "
                "name the environment it was trained in with --env"
            ) from fault
    return env


def _listed(entry: Any) -> list[tuple[str, dict[str, Any]]]:
    """Returns names and arguments from RL Zoo's spellings: a name, a dict, a list."""
    if entry is None or entry == "None":
        return []
    pairs: list[tuple[str, dict[str, Any]]] = []
    for part in entry if isinstance(entry, list) else [entry]:
        named = {part: None} if isinstance(part, str) else part
        if not isinstance(named, dict) or len(named) != 1:
            raise Refusal("wrapper", "a wrapper is a name, or a name with arguments")
        ((name, kwargs),) = named.items()
        if not isinstance(name, str) or not isinstance(kwargs, dict | None):
            raise Refusal("wrapper", "a wrapper is a name with its arguments")
        pairs.append((name, kwargs or {}))
    return pairs


def _unknown(path: str) -> Refusal:
    return Refusal(
        "wrapper",
        f"the run's environment was changed by {quoted(path)}, which cannot be made "
        f"again here; those that can: {', '.join(_TABLE)}",
    )


def _atari(name: str, **arguments: Any) -> _Stock:
    def make(env: AnyEnv, **kwargs: Any) -> AnyEnv:
        # Imported where it is needed: torch comes with it.
        from stable_baselines3.common import atari_wrappers

        made: AnyEnv = getattr(atari_wrappers, name)(env, **kwargs)
        return made

    return _Stock(_SB3, make, arguments)


def _rescale_action(
    env: AnyEnv,
    min_action: float = -1.0,
    max_action: float = 1.0,
    a: float | None = None,
    b: float | None = None,
) -> AnyEnv:
    space = env.action_space
    assert isinstance(space, gym.spaces.Box), "actions must be a Box"
    # Old Gym called the two a and b.
    low, high = (min_action if a is None else a), (max_action if b is None else b)
    bounds = (np.full(space.shape, limit, space.dtype) for limit in (low, high))
    return wrappers.RescaleAction(env, *bounds)


def _frame_stack(
    env: AnyEnv, num_stack: int | None = None, stack_size: int | None = None
) -> AnyEnv:
    frames = num_stack or stack_size
    assert frames is not None, "it needs the number of frames"
    return wrappers.FrameStackObservation(env, frames)


def _resize(env: AnyEnv, shape: Any) -> AnyEnv:
    size = (shape, shape) if isinstance(shape, int) else tuple(shape)
    return wrappers.ResizeObservation(env, size)


_GYM = ("gym", "gymnasium")
_SB3 = ("stable_baselines3",)
_ZOO = ("utils", "rl_zoo3", "sb3_contrib")
_GRAY = _Stock(_GYM, wrappers.GrayscaleObservation, {"keep_dim": StrictBool})
# Checks and logs only.
_WITHOUT_EFFECT = {"Monitor", "VecMonitor", "OrderEnforcing", "PassiveEnvChecker"}
_WITHOUT_EFFECT |= {"RecordEpisodeStatistics"}

_TABLE = {
    "TimeFeatureWrapper": _Stock(
        _ZOO, TimeFeature, {"max_steps": _Natural, "test_mode": StrictBool}
    ),
    "VecFrameStack": _Stock(_SB3, StackFrames, {"n_stack": _Natural}),
    "FlattenObservation": _Stock(_GYM, wrappers.FlattenObservation),
    "FilterObservation": _Stock(
        _GYM, wrappers.FilterObservation, {"filter_keys": list[StrictStr]}
    ),
    "RescaleAction": _Stock(
        _GYM,
        _rescale_action,
        dict.fromkeys(("min_action", "max_action", "a", "b"), _Number),
    ),
    "ClipAction": _Stock(_GYM, wrappers.ClipAction),
    "FrameStack": _Stock(_GYM, _frame_stack, {"num_stack": _Natural}),
    "FrameStackObservation": _Stock(_GYM, _frame_stack, {"stack_size": _Natural}),
    "TimeAwareObservation": _Stock(_GYM, wrappers.TimeAwareObservation),
    "TimeLimit": _Stock(_GYM, wrappers.TimeLimit, {"max_episode_steps": _Natural}),
    "GrayScaleObservation": _GRAY,
    "GrayscaleObservation": _GRAY,
    "ResizeObservation": _Stock(_GYM, _resize, {"shape": _Size}),
    "NoopResetEnv": _atari("NoopResetEnv", noop_max=_Natural),
    "FireResetEnv": _atari("FireResetEnv"),
    "MaxAndSkipEnv": _atari("MaxAndSkipEnv", skip=_Natural),
    "WarpFrame": _atari("WarpFrame", width=_Natural, height=_Natural),
}
