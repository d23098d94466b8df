"""Values of `AlignConfig` as users type them: checked, and within reason."""

from collections.abc import Iterator, Mapping
from dataclasses import is_dataclass, replace
from typing import Any

from rltransfer.alignment import AlignConfig
from rltransfer.errors import InputError

_MOST_OF_DEFAULT = 100
_FIXED = ("seed", "sources", "confidence")
"""Of the configuration: given in other ways."""
_KINDS: Mapping[type, tuple[tuple[type, ...], str]] = {
    int: ((int,), "a whole number"),
    float: ((int, float), "a number"),
    str: ((str,), "a word"),
}


def with_value(config: Any, name: str, value: Any, prefix: str = "") -> Any:
    """Returns a configuration with one value replaced.

    Args:
        config: to start from.
        name: of a field, or of a field of a part after the part's name and a dot.
        value: of the field's type.
        prefix: of the names of this part.
    """
    first, _, rest = name.partition(".")
    default = getattr(config, first, None)
    if first in _FIXED or default is None or is_dataclass(default) != bool(rest):
        known = ", ".join(_names(AlignConfig()))
        raise InputError(f"--hyperparams of a transfer are {known}; got {prefix}{name}")
    if rest:
        changed = with_value(default, rest, value, f"{prefix}{first}.")
        return replace(config, **{first: changed})
    types, kind = _KINDS.get(type(default), ((), "not a number"))
    if isinstance(value, bool) or not isinstance(value, types):
        raise InputError(f"{prefix}{name} is {kind}, got {value!r}; give one")
    if not isinstance(value, str) and default and value > _MOST_OF_DEFAULT * default:
        raise InputError(
            f"{prefix}{name} is at most {_MOST_OF_DEFAULT} times its default of "
            f"{default}, got {value}; give less"
        )
    return replace(config, **{name: value})


def _names(config: Any, prefix: str = "") -> Iterator[str]:
    for name, value in vars(config).items():
        if is_dataclass(value):
            yield from _names(value, f"{prefix}{name}.")
        elif type(value) in _KINDS and name not in _FIXED:
            yield prefix + name
