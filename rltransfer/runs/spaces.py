"""Spaces in words that JSON has, for people and for later comparison."""

import math
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray


def describe_space(space: spaces.Space[Any]) -> dict[str, Any]:
    """Returns the kind of a space and what tells it from others of its kind."""
    match space:
        case spaces.Box():
            return {
                "kind": "Box",
                "shape": list(space.shape),
                "dtype": str(space.dtype),
                "low": _bounds(space.low),
                "high": _bounds(space.high),
            }
        case spaces.Discrete():
            return {"kind": "Discrete", "n": int(space.n), "start": int(space.start)}
        case spaces.Dict():
            parts = {name: describe_space(part) for name, part in space.spaces.items()}
            return {"kind": "Dict", "spaces": parts}
        case _:
            return {"kind": type(space).__name__, "text": str(space)}


def _bounds(values: NDArray[Any]) -> list[float | None]:
    # JSON has no infinity; no bound is said by null.
    return [
        float(value) if math.isfinite(value) else None for value in np.ravel(values)
    ]
