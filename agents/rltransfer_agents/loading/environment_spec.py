"""Environment ids and arguments in files: registered ids and plain values only."""

import math
import re
from collections.abc import Collection, Iterator, Mapping
from itertools import chain
from typing import Any

import gymnasium as gym

from rltransfer.errors import InputError
from rltransfer_agents.loading import limits
from rltransfer_agents.loading.refusal import Refusal, printable, quoted
from rltransfer_agents.loading.sb3_checkpoint import ALGORITHMS
from rltransfer_envs.making import is_usable, nearest_ids

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
        if {env_id, env_id.replace("/", "-")} & set(names) and is_usable(env_id):
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
    raise InputError(f"{printable(file)}: {quoted(name)} is not registered; {remedy}")


def require_registered(env_id: str, *, typed: Collection[str] = ()) -> str:
    """Returns an id that a file of ours holds, which must be the id itself.

    Args:
        env_id: as the file has it.
        typed: what the user typed: where that is an id which imports a module, ids of
            the same module import nothing else.

    Raises:
        Refusal: if it is not registered, or would import a module.
    """
    if _ID.fullmatch(env_id) and env_id in gym.registry and is_usable(env_id):
        return env_id
    module, _, name = env_id.rpartition(":")
    typed_modules = {word.rpartition(":")[0] for word in typed}
    if module and module in typed_modules and _ID.fullmatch(name):
        return env_id
    raise _refusal(
        f"an id in a file must be registered and name no module, got {quoted(env_id)}"
    )


def nearest_id(name: str) -> str | None:
    """Returns the registered id that a name is most likely meant for, if one is."""
    name = _without_algorithm(name)
    near = nearest_ids(name) if _ID.fullmatch(name) else []
    return next(iter(near), None)


def _without_algorithm(name: str) -> str:
    first, _, rest = name.partition("-")
    return rest if first.lower() in ALGORITHMS else name


# No colon, nothing that changes a terminal or a table. Paths are allowed: robots are
# described by files of their own, which are read as data.
_PLAIN = re.compile(r"[\w ./+~=,-]*", re.ASCII)
_LONGEST_TEXT = 1000
# Of `make` itself, and of what stands in for environments of Gym.
_NOT_FROM_FILES = {"id", "env_id", "disable_env_checker"}
_UNSEEN = ("NoneType", "'rgb_array'")
_LONGEST_EPISODE = 10**6


def require_harmless(
    kwargs: Mapping[str, Any], *, typed: Collection[str] = ()
) -> dict[str, Any]:
    """Returns what a file says an environment is made with.

    Args:
        kwargs: as the file has them.
        typed: what the user typed, as for `require_registered`.

    Raises:
        Refusal: if that could import a module, show a window or never end.
    """
    for name, value in kwargs.items():
        if name in _NOT_FROM_FILES or not _PLAIN.fullmatch(name):
            raise _refusal(f"a file may not set {quoted(name)} of an environment")
        told = quoted(value)
        if name == "render_mode" and told not in _UNSEEN:
            raise _refusal(f"a file may not let an environment show itself, got {told}")
        if name == "max_episode_steps" and not (
            type(value) is int and 0 < value <= _LONGEST_EPISODE
        ):
            raise _refusal(
                f"max_episode_steps in a file must lie in 1..{_LONGEST_EPISODE}, got "
                f"{told}"
            )
    for count, value in enumerate(_parts(dict(kwargs), depth=0)):
        # Counted on the way: values that appear twice can make few look like many.
        if count >= limits.YAML_NODES:
            raise _too_many()
        _require_plain(value, typed)
    return dict(kwargs)


def _parts(value: Any, depth: int) -> Iterator[Any]:
    """Yields a value and all that it holds, keys too."""
    if depth > limits.JSON_DEPTH:
        raise _too_many()
    yield value
    if isinstance(value, dict):
        value = chain.from_iterable(value.items())
    elif not isinstance(value, list | tuple):
        return
    for part in value:
        yield from _parts(part, depth + 1)


def _too_many() -> Refusal:
    return _refusal(f"an environment may have {limits.YAML_NODES} values")


def _require_plain(value: Any, typed: Collection[str]) -> None:
    """Raises unless a value is a number, plain text, a known id or holds such."""
    if isinstance(value, str):
        names_module = any(":" in word for word in typed)
        if (is_id(value.rpartition(":")[2]) and names_module) or is_id(value):
            require_registered(value, typed=typed)
        elif len(value) > _LONGEST_TEXT or not _PLAIN.fullmatch(value):
            raise _refusal(
                "text that an environment in a file is made with must be plain and "
                f"name no module, got {quoted(value)}"
            )
    elif isinstance(value, float):
        if not math.isfinite(value):
            raise _refusal(f"its numbers must be finite, got {value}")
    elif not isinstance(value, int | dict | list | tuple | None):
        raise _refusal(
            "an environment in a file is made with numbers and text, got "
            f"{quoted(value)}"
        )


def _refusal(reason: str) -> Refusal:
    return Refusal("environment", reason)
