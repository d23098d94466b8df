"""Rates: numbers, or schedules by name."""

import math
import re

_LINEAR = re.compile(r"lin_(\d*\.?\d+(?:[eE][-+]?\d+)?)")


def falling_from(value: object) -> float | None:
    """Returns where the schedule `lin_START` starts, nothing for other values."""
    match = _LINEAR.fullmatch(value) if isinstance(value, str) else None
    return float(match[1]) if match else None


def number_or_schedule(value: float | str) -> float | str:
    """Returns a checked rate: a number, or the name of a schedule."""
    start = falling_from(value)
    try:
        number = float(value) if start is None else start
    except ValueError:
        number = math.nan
    if not 0 < number < math.inf:
        raise ValueError("a rate is a number above zero, or lin_START")
    return number if start is None else value
