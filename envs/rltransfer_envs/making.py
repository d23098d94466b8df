"""Environments by id, with each fault a user can cause said in one line."""

import re
from difflib import get_close_matches
from inspect import Parameter, signature
from typing import Any

import gymnasium as gym
from gymnasium.envs.registration import EnvSpec, load_env_creator, registry

from rltransfer.errors import InputError

_EXTRAS = ("box2d", "mujoco")
_CHECKER = "disable_env_checker"
_OF_MAKE = [_CHECKER, "max_episode_steps", "render_mode"]
_MISFIT = re.compile(r"unexpected keyword|multiple values|missing \d")
# What environments raise when they check their arguments, or fail to.
_OF_WRONG_ARGUMENTS = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    OSError,
    TypeError,
    ValueError,
)


def make(env_id: str, /, **kwargs: Any) -> gym.Env[Any, Any]:
    """Returns what `gymnasium.make` returns, or raises an `InputError` that helps.

    Args:
        env_id: as registered with Gymnasium; `module:Id` imports `module` first.
        kwargs: passed on to `gymnasium.make`.
    """
    try:
        return gym.make(env_id, **kwargs)
    except InputError:
        raise
    except gym.error.DependencyNotInstalled as fault:
        raise InputError(_missing_dependency(env_id, str(fault))) from fault
    except gym.error.Error as fault:
        raise InputError(_unregistered(env_id, str(fault))) from fault
    except ImportError as fault:
        raise InputError(_not_importable(env_id, str(fault))) from fault
    except _OF_WRONG_ARGUMENTS as fault:
        if _MISFIT.search(str(fault)):
            raise InputError(_wrong_arguments(env_id, kwargs)) from fault
        given = {name: kwargs[name] for name in kwargs if name != _CHECKER}
        if not given:
            raise
        own = {name: given[name] for name in given if name not in _OF_MAKE}
        raise InputError(
            f"environment {env_id!r} refuses {_listed(own or given)}: "
            f"{_one_line(str(fault))}"
        ) from fault


def nearest_ids(env_id: str) -> list[str]:
    """Returns the registered ids that are spelt most like `env_id`, best first."""
    wanted = env_id.rpartition(":")[2].lower()
    by_lower = {known.lower(): known for known in registry}
    # A wrong or a missing version is the commonest slip: newest first.
    name = _unversioned(wanted)
    versions = [
        known
        for known in by_lower
        if _unversioned(known) in (name, f"rltransfer/{name}")
    ]
    versions.sort(key=lambda known: (-len(known), known), reverse=True)
    alike = get_close_matches(wanted, by_lower, n=3)
    return [by_lower[known] for known in dict.fromkeys(versions + alike)][:3]


def _unversioned(env_id: str) -> str:
    return re.sub(r"-v\d+$", "", env_id)


def _unregistered(env_id: str, reason: str) -> str:
    near = nearest_ids(env_id)
    remedy = (
        f"nearest: {', '.join(near)}"
        if near
        else "gymnasium.pprint_registry() lists all; module:Id imports a module first"
    )
    known = env_id in registry
    rule = _one_line(reason) if known else "not registered with Gymnasium"
    return f"environment {env_id!r} is {rule}; {remedy}"


def _not_importable(env_id: str, reason: str) -> str:
    near = [known for known in nearest_ids(env_id) if known != env_id]
    remedy = f"; nearest: {', '.join(near)}" if near else ""
    return f"environment {env_id!r} cannot be imported: {_one_line(reason)}{remedy}"


def _missing_dependency(env_id: str, reason: str) -> str:
    extra = next((name for name in _EXTRAS if name in reason.lower()), None)
    if extra is None:
        return f"environment {env_id!r} needs more: {_one_line(reason)}"
    return (
        f"environment {env_id!r} needs an extra that is not installed: "
        f'pip install "rltransfer[{extra}]"'
    )


def _wrong_arguments(env_id: str, kwargs: dict[str, Any]) -> str:
    spec = registry.get(env_id.rpartition(":")[2])
    taken = _taken(spec) if spec is not None else []
    unknown = {name: kwargs[name] for name in kwargs if name not in taken + _OF_MAKE}
    return (
        f"environment {env_id!r} takes {', '.join(taken) or 'no arguments'}; "
        f"got {_listed(unknown or kwargs) or 'none'}"
    )


def _taken(spec: EnvSpec) -> list[str]:
    if spec.entry_point is None:
        return []
    creator = (
        load_env_creator(spec.entry_point)
        if isinstance(spec.entry_point, str)
        else spec.entry_point
    )
    return [
        name
        for name, parameter in signature(creator).parameters.items()
        if parameter.kind not in (Parameter.VAR_KEYWORD, Parameter.VAR_POSITIONAL)
    ]


def _listed(kwargs: dict[str, Any]) -> str:
    return ", ".join(f"{name}={value!r}" for name, value in kwargs.items())


def _one_line(text: str) -> str:
    return " ".join(text.split())
