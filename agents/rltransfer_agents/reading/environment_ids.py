"""Environment ids in files and names of files: known ones are used, others refused."""

import difflib
import re

import gymnasium as gym

import rltransfer_envs  # noqa: F401  registers our own
from rltransfer.errors import InputError
from rltransfer_agents.reading.refusal import shown

_ID = re.compile(r"(?:[\w.-]+/)?[\w.-]+-v\d+")
_ALGORITHMS = "ppo a2c dqn sac td3 ddpg qrdqn tqc trpo ars".split()


def known_id(name: str) -> str | None:
    """Returns the registered id that a name means, if there is one.

    Slashes cannot stand in names of files, so `rltransfer-Scrambled-v0` means
    `rltransfer/Scrambled-v0`; hubs put the algorithm in front.
    """
    if not _ID.fullmatch(name):
        return None
    names = [name, _without_algorithm(name)]
    for env_id in gym.registry:
        if {env_id, env_id.replace("/", "-")} & set(names) and _is_usable(env_id):
            return env_id
    return None


def require_known(name: str, file: str) -> str:
    """Returns the registered id that a name in or of a file means.

    Raises:
        InputError: naming the nearest id, which is suggested but not taken.
    """
    found = known_id(name)
    if found is not None:
        return found
    nearest = nearest_id(_without_algorithm(name))
    remedy = (
        f"nearest: {nearest}; pass --source-env {nearest}"
        if nearest is not None
        else "pass --source-env with the environment it was trained in"
    )
    raise InputError(f"{file}: {shown(name)} is not registered; {remedy}")


def nearest_id(name: str) -> str | None:
    """Returns the registered id most like a name: a newer version, or other letters."""
    if not _ID.fullmatch(name):
        return None
    stem = name.rpartition("-v")[0]
    usable = [env_id for env_id in gym.registry if _is_usable(env_id)]
    versions = [env_id for env_id in usable if env_id.rpartition("-v")[0] == stem]
    if versions:
        return max(versions, key=lambda env_id: int(env_id.rpartition("-v")[2]))
    return next(iter(difflib.get_close_matches(name, usable, n=1)), None)


def _without_algorithm(name: str) -> str:
    first, _, rest = name.partition("-")
    return rest if first.lower() in _ALGORITHMS else name


def _is_usable(env_id: str) -> bool:
    # Gymnasium still lists environments it only refuses to make.
    entry = gym.registry[env_id].entry_point
    return isinstance(entry, str) or getattr(entry, "__name__", "")[:1] != "_"
