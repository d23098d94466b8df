"""What a run of RL Zoo put around its environment, made again from a closed table.

`config.yml` names wrappers by module and class. Those of Gymnasium, Stable-Baselines3
and sb3-contrib that change what an agent sees or does are made, by functions of this
page and with arguments that are checked; nothing is imported by a name from a file.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, final

import gymnasium as gym
import numpy as np
from gymnasium import wrappers

from rltransfer.errors import InputError
from rltransfer_agents.loading.refusal import Refusal, quoted, quoted_flat
from rltransfer_agents.loading.zoo_wrappers import StackFrames, TimeFeature

AnyEnv = gym.Env[Any, Any]
Check = Callable[[Any], bool]
_LARGEST = 10**6
_MOST_WRAPPERS = 16


@final
@dataclass(frozen=True)
class EnvironmentWrapper:
    """A wrapper as a file names it: the class's name and plain arguments."""

    name: str
    """A key of the table, without the module."""
    kwargs: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        kwargs = ", ".join(f"{name}={value}" for name, value in self.kwargs.items())
        return f"{self.name}({kwargs})"


@final
@dataclass(frozen=True)
class _Stock:
    """A wrapper that can be made: where it is from, how, and its arguments."""

    origin: tuple[str, ...]
    make: Callable[..., AnyEnv]
    arguments: Mapping[str, Check] = field(default_factory=dict)
    """Each with the test that its value must pass."""


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
        check = stock.arguments.get(key) if isinstance(key, str) else None
        if check is None:
            takes = ", ".join(stock.arguments) or "no arguments"
            raise Refusal("wrapper", f"{name} takes {takes}, got {quoted(key)}")
        if not check(value):
            given = quoted_flat(value)
            raise Refusal("wrapper", f"{name} does not take {key}={given}")
    return EnvironmentWrapper(name, dict(kwargs))


def wrapped(env: AnyEnv, chosen: Sequence[EnvironmentWrapper]) -> AnyEnv:
    """Returns an environment inside the wrappers, the first of them innermost.

    Raises:
        InputError: if a wrapper does not fit the environment.
    """
    for wrapper in chosen:
        stock = _TABLE[wrapper.name]
        try:
            env = stock.make(env, **wrapper.kwargs)
        except (ArithmeticError, AssertionError, AttributeError, LookupError) as fault:
            raise _misfit(wrapper, fault) from fault
        except (ImportError, TypeError, ValueError, gym.error.Error) as fault:
            raise _misfit(wrapper, fault) from fault
    return env


def _misfit(wrapper: EnvironmentWrapper, fault: Exception) -> InputError:
    reason = " ".join(str(fault).split()) or type(fault).__name__
    return InputError(
        f"the run's wrapper {wrapper} does not fit the environment ({reason}); name "
        "the environment it was trained in with --env"
    )


def _listed(entry: Any) -> list[tuple[str, dict[str, Any]]]:
    """Returns names and arguments from RL Zoo's spellings: a name, a dict, a list."""
    if entry is None or entry == "None":
        return []
    pairs: list[tuple[str, dict[str, Any]]] = []
    for part in entry if isinstance(entry, list) else [entry]:
        if isinstance(part, str):
            pairs.append((part, {}))
        elif isinstance(part, dict) and len(part) == 1:
            ((name, kwargs),) = part.items()
            if not isinstance(name, str) or not isinstance(kwargs, dict | None):
                raise Refusal("wrapper", "a wrapper is a name with its arguments")
            pairs.append((name, kwargs or {}))
        else:
            raise Refusal("wrapper", "a wrapper is a name, or a name with arguments")
    return pairs


def _unknown(path: str) -> Refusal:
    return Refusal(
        "wrapper",
        f"the run's environment was changed by {quoted(path)}, which cannot be made "
        f"again here; those that can: {', '.join(_TABLE)}",
    )


def _natural(value: Any) -> bool:
    return type(value) is int and 0 < value <= _LARGEST


def _number(value: Any) -> bool:
    return type(value) in (int, float) and abs(value) <= _LARGEST


def _flag(value: Any) -> bool:
    return isinstance(value, bool)


def _size(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return len(value) == 2 and all(map(_natural, value))
    return _natural(value)


def _names(value: Any) -> bool:
    return isinstance(value, list | tuple) and all(isinstance(n, str) for n in value)


def _atari(name: str, env: AnyEnv, **kwargs: Any) -> AnyEnv:
    # Imported where it is needed: torch comes with it.
    from stable_baselines3.common import atari_wrappers

    made: AnyEnv = getattr(atari_wrappers, name)(env, **kwargs)
    return made


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
# Checks and logs only.
_WITHOUT_EFFECT = {"Monitor", "VecMonitor", "OrderEnforcing", "PassiveEnvChecker"}
_WITHOUT_EFFECT |= {"RecordEpisodeStatistics"}

_TABLE: dict[str, _Stock] = {
    "TimeFeatureWrapper": _Stock(
        _ZOO, TimeFeature, {"max_steps": _natural, "test_mode": _flag}
    ),
    "VecFrameStack": _Stock(_SB3, StackFrames, {"n_stack": _natural}),
    "FlattenObservation": _Stock(_GYM, wrappers.FlattenObservation),
    "FilterObservation": _Stock(
        _GYM, wrappers.FilterObservation, {"filter_keys": _names}
    ),
    "RescaleAction": _Stock(
        _GYM,
        _rescale_action,
        dict.fromkeys(("min_action", "max_action", "a", "b"), _number),
    ),
    "ClipAction": _Stock(_GYM, wrappers.ClipAction),
    "FrameStack": _Stock(_GYM, _frame_stack, {"num_stack": _natural}),
    "FrameStackObservation": _Stock(_GYM, _frame_stack, {"stack_size": _natural}),
    "TimeAwareObservation": _Stock(_GYM, wrappers.TimeAwareObservation),
    "TimeLimit": _Stock(_GYM, wrappers.TimeLimit, {"max_episode_steps": _natural}),
    "GrayScaleObservation": _Stock(
        _GYM, wrappers.GrayscaleObservation, {"keep_dim": _flag}
    ),
    "GrayscaleObservation": _Stock(
        _GYM, wrappers.GrayscaleObservation, {"keep_dim": _flag}
    ),
    "ResizeObservation": _Stock(_GYM, _resize, {"shape": _size}),
    "NoopResetEnv": _Stock(
        _SB3, partial(_atari, "NoopResetEnv"), {"noop_max": _natural}
    ),
    "FireResetEnv": _Stock(_SB3, partial(_atari, "FireResetEnv")),
    "MaxAndSkipEnv": _Stock(_SB3, partial(_atari, "MaxAndSkipEnv"), {"skip": _natural}),
    "WarpFrame": _Stock(
        _SB3, partial(_atari, "WarpFrame"), {"width": _natural, "height": _natural}
    ),
}
