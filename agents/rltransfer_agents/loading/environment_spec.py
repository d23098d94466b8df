"""Environment ids and arguments in files: registered ids and plain values only."""

import math
import re
from collections.abc import Collection, Mapping
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
    raise Refusal(
        "environment",
        f"an id in a file must be registered and name no module, got {quoted(env_id)}",
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
            raise Refusal(
                "environment", f"a file may not set {quoted(name)} of an environment"
            )
        if name == "render_mode" and _told(value) not in _UNSEEN:
            raise Refusal(
                "environment",
                f"a file may not make an environment show itself, got {_told(value)}",
            )
        if name == "max_episode_steps" and not (
            type(value) is int and 0 < value <= _LONGEST_EPISODE
        ):
            raise Refusal(
                "environment",
                f"max_episode_steps in a file must lie in 1..{_LONGEST_EPISODE}, got "
                f"{_told(value)}",
            )
    _Values(typed).check(dict(kwargs), depth=0)
    return dict(kwargs)


class _Values:
    """Counts on the way, since values that appear twice can make few look like many."""

    def __init__(self, typed: Collection[str]) -> None:
        self._seen = 0
        self._typed = typed

    def check(self, value: Any, depth: int) -> None:
        """Raises unless a value is made of numbers, plain text and known ids."""
        self._seen += 1
        if self._seen > limits.YAML_NODES or depth > limits.JSON_DEPTH:
            raise Refusal(
                "environment",
                f"an environment may have {limits.YAML_NODES} values",
            )
        match value:
            case None | bool() | int():
                return
            case float():
                if not math.isfinite(value):
                    raise Refusal(
                        "environment", f"its numbers must be finite, got {value}"
                    )
            case str():
                _check_text(value, self._typed)
            case dict():
                for name, part in value.items():
                    self.check(name, depth + 1)
                    self.check(part, depth + 1)
            case list() | tuple():
                for part in value:
                    self.check(part, depth + 1)
            case _:
                raise Refusal(
                    "environment",
                    "an environment in a file is made with numbers and text, got "
                    f"{_told(value)}",
                )


def _check_text(text: str, typed: Collection[str]) -> None:
    if is_id(text.rpartition(":")[2]) and any(":" in word for word in typed):
        require_registered(text, typed=typed)
        return
    if len(text) > _LONGEST_TEXT or not _PLAIN.fullmatch(text):
        raise Refusal(
            "environment",
            "text that an environment in a file is made with must be plain and name no "
            f"module, got {quoted(text)}",
        )
    if is_id(text):
        require_registered(text)


def _told(value: object) -> str:
    is_flat = isinstance(value, str | int | float)
    return quoted(value) if is_flat else type(value).__name__
