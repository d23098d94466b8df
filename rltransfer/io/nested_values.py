"""Nested values of Python as the bytes of a tensor file and back, without pickle."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from rltransfer.errors import ArtifactRefused
from rltransfer.io import tensor_files

KIND = "rltransfer-state-2"
_VERSION_1 = b"rltransfer snapshot 1\n"


def pack_nested(value: Any) -> bytes:
    """Returns nested dicts, lists, tuples, arrays, tensors and scalars as bytes."""
    arrays: dict[str, NDArray[Any]] = {}
    nesting = _taken_apart(value, arrays)
    return tensor_files.pack(KIND, {"nesting": nesting}, arrays)


def unpack_nested(data: bytes) -> Any:
    """Returns what was packed; refuses bytes that are damaged or of another kind."""
    if data.startswith(_VERSION_1):
        raise ArtifactRefused("it was written by version 0.1.0 of rltransfer")
    if tensor_files.kind_of(data) not in (KIND, None):
        raise ArtifactRefused("not a snapshot of this version")
    try:
        found = tensor_files.unpack(data)
        return _put_together(found.content["nesting"], found.arrays)
    except (ValueError, KeyError, TypeError, RecursionError) as fault:
        raise ArtifactRefused(f"damaged: {fault}") from fault


def _taken_apart(value: Any, arrays: dict[str, NDArray[Any]]) -> Any:
    match value:
        case None | bool() | int() | str():
            return value
        case float() if math.isfinite(value):
            return value
        case float():
            return {"float": repr(value)}
        case torch.Tensor():
            return {"tensor": _stored(value.detach().cpu().numpy(), arrays)}
        case np.ndarray():
            return {"array": _stored(value, arrays)}
        case np.generic():
            return {"scalar": _stored(np.array(value), arrays)}
        case Mapping():
            # As pairs, because JSON turns every key into text.
            pairs = [[key, _taken_apart(part, arrays)] for key, part in value.items()]
            return {"dict": pairs}
        case list():
            return [_taken_apart(part, arrays) for part in value]
        case tuple():
            return {"tuple": [_taken_apart(part, arrays) for part in value]}
    raise TypeError(f"a snapshot holds plain data, got {type(value).__name__}")


def _stored(array: NDArray[Any], arrays: dict[str, NDArray[Any]]) -> str:
    name = str(len(arrays))
    # A copy: what is learnt from goes on changing.
    arrays[name] = np.array(array, order="C")
    return name


def _put_together(value: Any, arrays: Mapping[str, NDArray[Any]]) -> Any:
    if isinstance(value, list):
        return [_put_together(part, arrays) for part in value]
    if not isinstance(value, dict):
        return value
    ((kind, content),) = value.items()
    match kind:
        case "float":
            return float(content)
        case "tensor":
            return torch.from_numpy(arrays[content])
        case "array":
            return arrays[content]
        case "scalar":
            return arrays[content][()]
        case "dict":
            return {key: _put_together(part, arrays) for key, part in content}
        case "tuple":
            return tuple(_put_together(part, arrays) for part in content)
    raise ValueError(f"unknown kind {kind!r}")
