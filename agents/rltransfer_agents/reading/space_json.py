"""Spaces as JSON, with their bounds as arrays beside it."""

from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from rltransfer_agents.reading import limits
from rltransfer_agents.reading.refusal import Refusal, shown
from rltransfer_agents.reading.spaces import space_of


def space_to_json(
    space: spaces.Space[Any], name: str, arrays: dict[str, NDArray[Any]]
) -> dict[str, Any]:
    """Returns a space as JSON; puts its bounds into `arrays` under names of `name`."""
    match space:
        case spaces.Box():
            arrays[f"{name}/low"], arrays[f"{name}/high"] = space.low, space.high
            return {"kind": "Box"}
        case spaces.Discrete():
            return {"kind": "Discrete", "n": int(space.n), "start": int(space.start)}
        case spaces.MultiDiscrete():
            return {"kind": "MultiDiscrete", "nvec": [int(n) for n in space.nvec]}
        case spaces.MultiBinary():
            whole = isinstance(space.n, int)
            return {"kind": "MultiBinary", "n": space.n if whole else list(space.shape)}
        case spaces.Dict():
            parts = [
                [part, space_to_json(inner, f"{name}/{part}", arrays)]
                for part, inner in space.spaces.items()
            ]
            return {"kind": "Dict", "spaces": parts}
        case _:
            raise Refusal(
                "space", f"{type(space).__name__} is no space that agents have"
            )


def space_from_json(
    value: Any, name: str, arrays: dict[str, NDArray[Any]], *, is_part: bool = False
) -> spaces.Space[Any]:
    """Returns the space that was turned into JSON.

    Raises:
        Refusal: if it is not in order.
    """
    kind = value.get("kind") if isinstance(value, dict) else None
    match kind:
        case "Box":
            low, high = arrays.get(f"{name}/low"), arrays.get(f"{name}/high")
            if low is None or high is None or low.dtype != high.dtype:
                raise Refusal("space", f"the bounds of {shown(name)} are missing")
            bounds = {"low": low, "high": high, "shape": low.shape, "dtype": low.dtype}
            return space_of("Box", bounds)
        case "MultiDiscrete":
            counts = value.get("nvec")
            if not isinstance(counts, list) or not all(
                type(count) is int and 0 < count <= limits.SPACE_CHOICES
                for count in counts
            ):
                raise Refusal("space", "nvec must be a row of positive numbers")
            return space_of("MultiDiscrete", {"nvec": np.array(counts, np.int64)})
        case "Dict":
            parts = value.get("spaces")
            if is_part or not isinstance(parts, list):
                raise Refusal("space", "parts may not have parts")
            named = [
                part for part in parts if isinstance(part, list) and len(part) == 2
            ]
            if len(named) != len(parts) or not all(type(n) is str for n, _ in named):
                raise Refusal("space", "parts must have names")
            return space_of(
                "Dict",
                {
                    "spaces": {
                        part: space_from_json(
                            inner, f"{name}/{part}", arrays, is_part=True
                        )
                        for part, inner in named
                    }
                },
            )
        case "Discrete" | "MultiBinary":
            return space_of(kind, value)
        case _:
            raise Refusal("space", f"{shown(str(kind))} is no space that agents have")
