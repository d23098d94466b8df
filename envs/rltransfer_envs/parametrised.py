"""Arguments of parametrised environments, read and checked."""

from collections.abc import Callable, Mapping
from difflib import get_close_matches
from inspect import signature
from math import isfinite
from numbers import Integral, Real
from typing import TypeVar

from rltransfer.errors import InputError

T = TypeVar("T")


class Parameters:
    """What tells one environment of a kind from another: numbers with defaults.

    A dataclass that has this base refuses numbers that are not finite and above 0;
    gravity alone may be 0.
    """

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not isfinite(value):
                raise InputError(f"{name} must be finite, got {value}")
            if name == "gravity" and value < 0:
                raise InputError(f"{name} must be 0 or more, got {value}")
            if name != "gravity" and value <= 0:
                raise InputError(f"{name} must be positive, got {value}")


def read_parameters(
    kind: Callable[..., T], env_id: str, given: Mapping[str, object]
) -> T:
    """Returns a `kind` made from keyword arguments.

    Args:
        kind: a dataclass of numbers, each with a default.
        env_id: for the error.
        given: what the user passed.

    Raises:
        InputError: an argument is unknown, or of the wrong type.
    """
    known = signature(kind).parameters
    for name, value in given.items():
        if name not in known:
            near = get_close_matches(name, known, n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise InputError(f"{env_id} takes {', '.join(known)}; got {name}{hint}")
        whole = isinstance(known[name].default, int)
        wanted: type = Integral if whole else Real
        if not isinstance(value, wanted) or isinstance(value, bool):
            rule = "a whole number" if whole else "a number"
            raise InputError(f"{name} of {env_id} must be {rule}, got {value!r}")
    return kind(
        **{name: type(known[name].default)(value) for name, value in given.items()}
    )
