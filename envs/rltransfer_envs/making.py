"""Registering our environments, and making any by its id; faults in one line."""

import re
from difflib import get_close_matches
from inspect import Parameter, signature
from typing import Any

import gymnasium as gym
from gymnasium.envs.registration import EnvSpec, load_env_creator, registry

from rltransfer.errors import InputError

# Limits and thresholds are those of Gymnasium's originals, so that returns compare.
REGISTRATIONS: dict[str, tuple[str, int | None, float | None]] = {
    # The base has its own time limit; a second one would cut episodes twice.
    "rltransfer/Scrambled-v0": ("scrambled_env:scramble", None, None),
    "rltransfer/Sensors-v0": ("sensors_env:make_sensors", None, None),
    "rltransfer/Camera-v0": ("camera_env:film", None, None),
    # Each task has its own limit.
    "rltransfer/MultiTask-v0": ("multi_task:make_multi_task", None, None),
    "rltransfer/Drifting-v0": ("drifting_env:drifting", None, None),
    # A game ends by itself.
    "rltransfer/TicTacToe-v0": ("line_games:tic_tac_toe", None, None),
    "rltransfer/ConnectFour-v0": ("line_games:connect_four", None, None),
    "rltransfer/CartPole-v0": ("classic_control:cart_pole", 500, 475.0),
    "rltransfer/Acrobot-v0": ("classic_control:acrobot", 500, -100.0),
    "rltransfer/Pendulum-v0": ("classic_control:pendulum", 200, None),
    "rltransfer/MountainCar-v0": ("classic_control:mountain_car", 200, -110.0),
    "rltransfer/MountainCarContinuous-v0": (
        "classic_control:mountain_car_continuous",
        999,
        90.0,
    ),
    "rltransfer/MountainCarLeft-v0": ("classic_control:mountain_car_left", 999, 90.0),
    "rltransfer/MountainCar3D-v0": ("mountain_car_3d:MountainCar3D", 1000, None),
    "rltransfer/Swimmer-v0": ("mujoco_bodies:swimmer", 1000, 360.0),
    "rltransfer/HalfCheetah-v0": ("mujoco_bodies:half_cheetah", 1000, 4800.0),
    "rltransfer/Hopper-v0": ("mujoco_bodies:hopper", 1000, 3800.0),
    "rltransfer/Reacher-v0": ("mujoco_bodies:reacher", 50, -3.75),
}
"""By id: what makes it, its time limit in steps, and the return that solves it."""


def register() -> None:
    """Registers every environment of this package with Gymnasium, once."""
    for env_id, (entry_point, limit, threshold) in REGISTRATIONS.items():
        if env_id not in gym.registry:
            gym.register(
                id=env_id,
                entry_point=f"rltransfer_envs.{entry_point}",
                max_episode_steps=limit,
                reward_threshold=threshold,
            )


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
    """Returns what `gymnasium.make` returns, or raises an `InputError` with the remedy.

    Args:
        env_id: as registered with Gymnasium; `module:Id` imports `module` first.
        kwargs: passed on to `gymnasium.make`.
    """
    try:
        return gym.make(env_id, **kwargs)
    except InputError:
        raise
    except (gym.error.Error, ImportError, *_OF_WRONG_ARGUMENTS) as fault:
        reason = _reason(env_id, kwargs, fault)
        if reason is None:
            raise
        raise InputError(f"environment {env_id!r} {reason}") from fault


def _reason(env_id: str, kwargs: dict[str, Any], fault: Exception) -> str | None:
    """Returns why it cannot be made; None where nobody passed anything wrong."""
    text = " ".join(str(fault).split())
    if isinstance(fault, gym.error.DependencyNotInstalled):
        extra = next((name for name in _EXTRAS if name in text.lower()), None)
        if extra is None:
            return f"needs more: {text}"
        install = f'pip install "rltransfer[{extra}]"'
        return f"needs an extra that is not installed: {install}"
    near = ", ".join(known for known in nearest_ids(env_id) if known != env_id)
    if isinstance(fault, gym.error.Error):
        rule = text if env_id in registry else "not registered with Gymnasium"
        others = (
            "gymnasium.pprint_registry() lists all; module:Id imports a module first"
        )
        return f"is {rule}; " + (f"nearest: {near}" if near else others)
    if isinstance(fault, ImportError):
        return f"cannot be imported: {text}" + (f"; nearest: {near}" if near else "")
    if _MISFIT.search(text):
        return _wrong_arguments(env_id, kwargs)
    given = {name: kwargs[name] for name in kwargs if name != _CHECKER}
    own = {name: given[name] for name in given if name not in _OF_MAKE}
    return f"refuses {_listed(own or given)}: {text}" if given else None


_ALIKE = 0.8
"""Share of letters that two names have in common where one may be a slip."""


def nearest_ids(env_id: str) -> list[str]:
    """Returns registered ids that `env_id` may be meant for, best first.

    Another version of the same name, newest first, or a name with few other letters;
    a name that merely shares a part with `env_id` is another environment.
    """
    wanted, _ = _name_and_version(env_id.rpartition(":")[2])
    known = {one: _name_and_version(one) for one in registry if is_usable(one)}
    by_version = sorted(known, key=lambda one: known[one][1], reverse=True)
    alike = get_close_matches(wanted, {name for name, _ in known.values()}, 3, _ALIKE)
    names = dict.fromkeys([wanted, f"rltransfer/{wanted}", *alike])
    return [one for name in names for one in by_version if known[one][0] == name][:3]


def is_usable(env_id: str) -> bool:
    """Tells whether a registered id is of an environment that can be made."""
    # Gymnasium still lists environments it only refuses to make.
    entry = registry[env_id].entry_point
    return isinstance(entry, str) or getattr(entry, "__name__", "")[:1] != "_"


def _name_and_version(env_id: str) -> tuple[str, int]:
    name, _, version = env_id.lower().rpartition("-v")
    return (name, int(version)) if version.isdecimal() else (env_id.lower(), -1)


def _wrong_arguments(env_id: str, kwargs: dict[str, Any]) -> str:
    spec = registry.get(env_id.rpartition(":")[2])
    taken = _taken(spec) if spec is not None else []
    unknown = {name: kwargs[name] for name in kwargs if name not in taken + _OF_MAKE}
    return (
        f"takes {', '.join(taken) or 'no arguments'}; "
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
