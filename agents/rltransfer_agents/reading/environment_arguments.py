"""What environments are made with, where files say it: plain values, nothing else.

An environment may make another one by the id it is given (`base="module:Id-v0"`), and
`gymnasium.make` takes some arguments for itself. This holds for all files alike: of RL
Zoo, of bundles, of finished runs and of those that go on.
"""

import math
import re
from collections.abc import Collection, Mapping
from typing import Any

from rltransfer_agents.reading import limits
from rltransfer_agents.reading.environment_ids import is_id, require_registered
from rltransfer_agents.reading.refusal import Refusal, shown

# No colon, nothing that a terminal or a table acts upon. Paths are left: robots are
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
                "environment", f"a file may not set {shown(name)} of an environment"
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
            f"module, got {shown(text)}",
        )
    if is_id(text):
        require_registered(text)


def _told(value: object) -> str:
    is_flat = isinstance(value, str | int | float)
    return shown(value) if is_flat else type(value).__name__
