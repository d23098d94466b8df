"""The words of the command line that ask for what was asked for."""

import re
import shlex
from collections.abc import Iterable, Mapping
from typing import Any

# What the command line does not take for a literal, or for a word of JSON.
_PLAIN_TEXT = re.compile(r"(?!(?:True|False|None|true|false|null)$)[^\W\d][\w./:-]*")


def typed(verb: str, options: Iterable[tuple[str, object]]) -> str:
    """Returns a command that can be pasted into a shell.

    Args:
        verb: such as `transfer`.
        options: with values: True for an option without one, several in a list, a
            dictionary for pairs; without those that are None, False or empty.
    """
    words = ["rltransfer", verb]
    for option, value in options:
        if value is True:
            words.append(option)
        elif isinstance(value, Mapping):
            pairs = [f"{name}={_literal(one)}" for name, one in value.items()]
            words += [option, *pairs] if pairs else []
        elif isinstance(value, list | tuple):
            words += [option, *map(str, value)] if value else []
        elif value is not None and value is not False and value != "":
            words += [option, str(value)]
    return shlex.join(words)


def _literal(value: Any) -> str:
    plain = isinstance(value, str) and _PLAIN_TEXT.fullmatch(value)
    return value if plain else repr(value)
