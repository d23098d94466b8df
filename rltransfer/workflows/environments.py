"""Environments as users name them: an id, or a callable that makes one."""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeAlias, final

import gymnasium as gym
import numpy as np

import rltransfer_envs as rltransfer_envs
from rltransfer.argument_checks import (
    EPISODE_CAP,
    STEP_SECONDS,
    VecEnv,
    require_at_least,
    require_vec_env,
)
from rltransfer.domain import Domain
from rltransfer.errors import InputError
from rltransfer.wrappers import StepBudget, StepTimeout, SubprocessEnv, make_in_time
from rltransfer_agents.loading.environment_wrappers import EnvironmentWrapper, wrapped
from rltransfer_envs.making import make

MakeEnv: TypeAlias = Callable[..., gym.Env[Any, Any]]
"""Makes an environment; is called with the environment's arguments."""

MADE_BY_CALLABLE = "python/"
"""How the id of an environment begins that a callable makes, in this process only."""
_PLAIN = (type(None), bool, int, float, str)


@final
@dataclass(frozen=True)
class EnvironmentChoice:
    """An id and what to make the environment with."""

    env_id: str
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    wrappers: tuple[EnvironmentWrapper, ...] = ()
    """What a run of RL Zoo put around it, the innermost first."""

    @property
    def title(self) -> str:
        """Id, arguments and wrappers, as tables show them."""
        kwargs = ", ".join(f"{name}={value}" for name, value in self.kwargs.items())
        title = f"{self.env_id} ({kwargs})" if kwargs else self.env_id
        return " in ".join([title, *map(str, self.wrappers)])

    def make(self) -> gym.Env[Any, Any]:
        """Returns the environment in its wrappers.

        Raises:
            InputError: there is none, or its arguments or wrappers do not fit.
        """
        return wrapped(make(self.env_id, **self.kwargs), self.wrappers)


@final
@dataclass(frozen=True)
class Stepping:
    """Where environments are stepped, and how long that may take; changes no result."""

    vec_env: VecEnv = "dummy"
    step_seconds: float = STEP_SECONDS
    episode_cap: int = EPISODE_CAP
    """Most steps of one reported episode."""

    def __post_init__(self) -> None:
        StepTimeout(self.step_seconds)  # checks the time
        require_vec_env(self.vec_env)
        require_at_least("--episode-cap", self.episode_cap, 1)


def environment_id(env: str | MakeEnv) -> str:
    """Returns the id of an environment; registers a callable that makes one.

    A callable is registered with Gymnasium as `python/NAME-v0`, so that all that takes
    an id takes it. Such an id is known in this process only.

    Raises:
        InputError: `env` is neither.
    """
    if isinstance(env, str):
        return env
    if isinstance(env, gym.Env) or not callable(env):
        raise InputError(
            "an environment is named by its id or made by a callable, got "
            f"{type(env).__name__}; pass for example lambda: gymnasium.make(...)"
        )
    made_by = env.func if isinstance(env, partial) else env
    name = re.sub(r"\W+", "", getattr(made_by, "__name__", type(env).__name__))
    for version in range(len(gym.registry) + 1):
        env_id = f"{MADE_BY_CALLABLE}{name}-v{version}"
        known = gym.registry.get(env_id)
        if known is None:
            gym.register(env_id, env)
        if known is None or known.entry_point is env:
            break
    return env_id


def require_plain(option: str, kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """Returns an environment's arguments, which must be values that files can hold.

    Raises:
        InputError: one of them is an object.
    """
    for name, value in kwargs.items():
        if not _is_plain(value):
            raise InputError(
                f"{option} takes finite numbers, text, and lists and dictionaries of "
                f"these, got {name} of {type(value).__name__}; pass a callable that "
                "makes the environment with it"
            )
    return dict(kwargs)


def _is_plain(value: Any) -> bool:
    if isinstance(value, Mapping):
        return all(isinstance(k, str) and _is_plain(v) for k, v in value.items())
    if isinstance(value, list | tuple):
        return all(map(_is_plain, value))
    # JSON has no infinity.
    finite = not isinstance(value, float) or math.isfinite(value)
    return isinstance(value, _PLAIN) and finite


def domain_of(
    choice: EnvironmentChoice,
    stepping: Stepping | None = None,
    budget: StepBudget | None = None,
    *,
    mapped: bool = True,
    kwargs_option: str = "--env-kwargs",
) -> Domain:
    """Returns an environment as a domain.

    Args:
        choice: id and arguments.
        stepping: where it is stepped; by default in this process.
        budget: counts the steps taken in it.
        mapped: whether its spaces must be such that they can be mapped.
        kwargs_option: by which its arguments were given.

    Raises:
        InputError: there is no such environment, or its spaces cannot be mapped.
    """
    stepping = stepping or Stepping()
    named = choice.make, choice.title, stepping.step_seconds
    return Domain(
        partial(make_in_time, *named)
        if stepping.vec_env == "dummy"
        else partial(SubprocessEnv, *named, np.float32),
        choice.title,
        budget,
        stepping.episode_cap,
        mapped=mapped,
        kwargs_option=kwargs_option,
    )
