"""Arguments of parametrised environments, read and checked."""

from collections.abc import Callable, Mapping
from dataclasses import fields
from difflib import get_close_matches
from inspect import signature
from math import isfinite
from numbers import Integral, Real
from typing import Any, TypeVar

from rltransfer.errors import InputError

T = TypeVar("T")


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


def require_numbers(
    parameters: Any,
    *,
    positive: tuple[str, ...] = (),
    may_be_zero: tuple[str, ...] = (),
) -> None:
    """Raises unless every field is finite and has the required sign.

    Args:
        parameters: a dataclass of numbers.
        positive: fields that must be above 0.
        may_be_zero: fields that must not be below 0.
    """
    for name in (field.name for field in fields(parameters)):
        value = getattr(parameters, name)
        if not isfinite(value):
            raise InputError(f"{name} must be finite, got {value}")
        if name in positive and value <= 0:
            raise InputError(f"{name} must be positive, got {value}")
        if name in may_be_zero and value < 0:
            raise InputError(f"{name} must be 0 or more, got {value}")
