"""Environment ids in files and names of files: known ones are used, others refused.

`gymnasium.make("module:Id-v0")` imports `module`: only a user may type that.
"""

import difflib
import re
from collections.abc import Collection

import gymnasium as gym

import rltransfer_envs  # noqa: F401  registers our own
from rltransfer.errors import InputError
from rltransfer_agents.reading.checkpoint.fields import ALGORITHMS
from rltransfer_agents.reading.refusal import Refusal, shown, spelt

_ID = re.compile(r"(?:[\w.-]+/)?[\w.-]+-v\d+")


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


def is_id(text: str) -> bool:
    """Tells whether text looks like the id of an environment, of whatever kind."""
    return _ID.fullmatch(text) is not None


def require_known(name: str, file: str) -> str:
    """Returns the registered id that a name in or of a file means.

    Raises:
        InputError: naming the nearest id, which is suggested but not taken.
    """
    found = known_id(name)
    if found is not None:
        return found
    nearest = nearest_id(name)
    remedy = (
        f"nearest: {nearest}; pass --env {nearest}"
        if nearest is not None
        else "pass --env with the environment it was trained in"
    )
    raise InputError(f"{spelt(file)}: {shown(name)} is not registered; {remedy}")


def require_registered(env_id: str, *, typed: Collection[str] = ()) -> str:
    """Returns an id that a file of ours holds, which must be the id itself.

    Args:
        env_id: as the file has it.
        typed: what the user typed: where that is an id which imports a module, ids of
            the same module import nothing else.

    Raises:
        Refusal: if it is not registered, or would import a module.
    """
    if _ID.fullmatch(env_id) and env_id in gym.registry and _is_usable(env_id):
        return env_id
    module, _, name = env_id.rpartition(":")
    typed_modules = {word.rpartition(":")[0] for word in typed}
    if module and module in typed_modules and _ID.fullmatch(name):
        return env_id
    raise Refusal(
        "environment",
        f"an id in a file must be registered and name no module, got {shown(env_id)}",
    )


def nearest_id(name: str) -> str | None:
    """Returns the registered id most like a name: a newer version, or other letters."""
    name = _without_algorithm(name)
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
    return rest if first.lower() in ALGORITHMS else name


def _is_usable(env_id: str) -> bool:
    # Gymnasium still lists environments it only refuses to make.
    entry = gym.registry[env_id].entry_point
    return isinstance(entry, str) or getattr(entry, "__name__", "")[:1] != "_"
