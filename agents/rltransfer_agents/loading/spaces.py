"""Spaces of Gym and Gymnasium out of pickles."""

import math
import re
from collections.abc import Callable
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from rltransfer_agents.loading import limits
from rltransfer_agents.loading.pickle_tree import (
    Call,
    constructed,
    read_array,
    read_dtype,
    read_integer,
    read_shape,
    value_name,
)
from rltransfer_agents.loading.refusal import Refusal, quoted, refusals_about

_PATH = re.compile(r"(?:gym|gymnasium)\.spaces\.(\w+)\.(\w+)")


def read_space(tree: Any) -> spaces.Space[Any]:
    """Returns the space that a pickle describes.

    Raises:
        Refusal: if it is not one of those that agents of Stable-Baselines3 have.
    """
    path, state = constructed(tree)
    match = _PATH.fullmatch(path)
    if match is None or match[2] not in _READERS or not isinstance(state, dict):
        by_value = value_name(tree)
        if by_value is not None:
            told = f"a space is of the author's own class {quoted(by_value)}"
            raise Refusal("class-by-value", told)
        told = f"a space must be one of {', '.join(_READERS)}, got {quoted(path)}"
        raise Refusal("space", told)
    return space_of(match[2], state)


def space_of(kind: str, state: dict[Any, Any]) -> spaces.Space[Any]:
    """Returns the space of a kind with the fields that Gymnasium gives it.

    Raises:
        Refusal: if there is no such kind, or its fields are not in order.
    """
    if kind not in _READERS:
        raise Refusal("space", f"{quoted(kind)} is no space that agents have")
    with refusals_about(kind):
        return _READERS[kind](state)


def _box(state: dict[Any, Any]) -> spaces.Space[Any]:
    shape = read_shape(_entry(state, "_shape", "shape"))
    if math.prod(shape) > limits.SPACE_ELEMENTS:
        raise Refusal("limit", f"a space may have {limits.SPACE_ELEMENTS} elements")
    dtype = read_dtype(_entry(state, "dtype"))
    low, high = (_bound(state, name, shape) for name in ("low", "high"))
    if np.isnan(low).any() or np.isnan(high).any() or (low > high).any():
        raise Refusal("space", "bounds must be numbers, the lower one below")
    with np.errstate(over="ignore", invalid="ignore"):
        return spaces.Box(low.astype(dtype), high.astype(dtype), shape, dtype.type)


def _bound(state: dict[Any, Any], name: str, shape: tuple[int, ...]) -> NDArray[Any]:
    bound = read_array(_entry(state, name))
    if bound.shape != shape or bound.dtype.kind not in "fiu":
        raise Refusal("space", f"{name} must have the shape {shape}, got {bound.shape}")
    return bound


def _discrete(state: dict[Any, Any]) -> spaces.Space[Any]:
    count = read_integer(_entry(state, "n"), "n")
    start = read_integer(state.get("start", 0), "start")
    if not 0 < count <= limits.SPACE_CHOICES:
        raise Refusal("space", f"n must lie in 1..{limits.SPACE_CHOICES}, got {count}")
    return spaces.Discrete(count, start=start)


def _multi_discrete(state: dict[Any, Any]) -> spaces.Space[Any]:
    counts = read_array(_entry(state, "nvec"))
    if (
        counts.dtype.kind not in "iu"
        or counts.ndim != 1
        or not counts.size
        or (counts < 1).any()
        or (counts > limits.SPACE_CHOICES).any()
        or counts.sum() > limits.SPACE_CHOICES
    ):
        raise Refusal("space", "nvec must be a row of positive numbers")
    start = read_array(state.get("start", np.zeros_like(counts)))
    if start.dtype.kind not in "iu" or start.shape != counts.shape:
        raise Refusal("space", "start must have one whole number for each of nvec")
    return spaces.MultiDiscrete(counts.astype(np.int64), start=start.astype(np.int64))


def _multi_binary(state: dict[Any, Any]) -> spaces.Space[Any]:
    count = _entry(state, "n")
    is_shape = isinstance(count, tuple | list)
    wanted = count[: limits.DIMENSIONS + 1] if is_shape else [count]
    sizes = read_shape([read_integer(size, "n") for size in wanted])
    if not 0 < math.prod(sizes) <= limits.SPACE_CHOICES:
        raise Refusal("space", f"n must lie in 1..{limits.SPACE_CHOICES}, got {sizes}")
    return spaces.MultiBinary(sizes if is_shape else sizes[0])


def _dict(state: dict[Any, Any]) -> spaces.Space[Any]:
    parts = _entry(state, "spaces")
    if isinstance(parts, Call):
        parts = parts.items
    if not isinstance(parts, dict) or not parts or len(parts) > limits.MEMBERS:
        raise Refusal("space", f"must have between 1 and {limits.MEMBERS} parts")
    # As pairs: their order is the order of the features, and a dict would be sorted.
    read: list[tuple[str, spaces.Space[Any]]] = []
    elements = 0
    for name, part in parts.items():
        if not isinstance(name, str):
            raise Refusal("space", "parts must have names")
        # Stable-Baselines3 does not nest spaces, and a file could without end.
        if constructed(part)[0].endswith(".Dict"):
            raise Refusal("space", f"parts may not have parts, {quoted(name)} has")
        space = part if isinstance(part, spaces.Space) else read_space(part)
        elements += math.prod(space.shape or ())
        if elements > limits.SPACE_ELEMENTS:
            raise Refusal("limit", f"a space may have {limits.SPACE_ELEMENTS} elements")
        read.append((name, space))
    return spaces.Dict(read)


def _entry(state: dict[Any, Any], *names: str) -> Any:
    for name in names:
        if name in state:
            return state[name]
    raise Refusal("space", f"{names[0]} is missing")


_READERS: dict[str, Callable[[dict[Any, Any]], spaces.Space[Any]]] = {
    "Box": _box,
    "Discrete": _discrete,
    "MultiDiscrete": _multi_discrete,
    "MultiBinary": _multi_binary,
    "Dict": _dict,
}


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
            rows = {"nvec": space.nvec, "start": space.start}
            words = {name: [int(n) for n in row] for name, row in rows.items()}
            return {"kind": "MultiDiscrete", **words}
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
            name = type(space).__name__
            raise Refusal("space", f"{name} is no space that agents have")


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
                raise Refusal("space", f"the bounds of {quoted(name)} are missing")
            bounds = {"low": low, "high": high, "shape": low.shape, "dtype": low.dtype}
            return space_of("Box", bounds)
        case "Dict":
            pairs = value.get("spaces")
            if is_part or not isinstance(pairs, list):
                raise Refusal("space", "parts may not have parts")
            parts: dict[str, spaces.Space[Any]] = {}
            for pair in pairs:
                match pair:
                    case [str(part), inner]:
                        own = f"{name}/{part}"
                        parts[part] = space_from_json(inner, own, arrays, is_part=True)
                    case _:
                        raise Refusal("space", "parts must have names")
            return space_of("Dict", {"spaces": parts})
        case _:
            return space_of(str(kind), value)
