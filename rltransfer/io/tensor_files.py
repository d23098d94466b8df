"""Nested values of Python as one hashed block of bytes and back, without pickle."""

import hashlib
import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from rltransfer.errors import ArtifactRefused

_MAGIC = b"rltransfer snapshot 1\n"
_HASH_LENGTH = 64


def pack(value: Any) -> bytes:
    """Returns nested dicts, lists, tuples, arrays, tensors and scalars as bytes."""
    arrays: dict[str, NDArray[Any]] = {}
    nesting = json.dumps(_taken_apart(value, arrays), allow_nan=False)
    body = save(arrays, metadata={"nesting": nesting})
    return _MAGIC + hashlib.sha256(body).hexdigest().encode() + body


def unpack(data: bytes) -> Any:
    """Returns what was packed; refuses bytes that are damaged or of another kind."""
    start = len(_MAGIC) + _HASH_LENGTH
    digest, body = data[len(_MAGIC) : start], data[start:]
    if not data.startswith(_MAGIC):
        raise ArtifactRefused("not a snapshot of this version")
    if hashlib.sha256(body).hexdigest().encode() != digest:
        raise ArtifactRefused("damaged: its hash differs")
    try:
        header_length = int.from_bytes(body[:8], "little")
        header = json.loads(body[8 : 8 + header_length])
        nesting = json.loads(header["__metadata__"]["nesting"])
        return _put_together(nesting, load(body))
    except (ValueError, KeyError, TypeError, SafetensorError) as fault:
        raise ArtifactRefused(f"no snapshot: {fault}") from fault


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
            return torch.from_numpy(arrays[content].copy())
        case "array":
            return arrays[content].copy()
        case "scalar":
            return arrays[content][()]
        case "dict":
            return {key: _put_together(part, arrays) for key, part in content}
        case "tuple":
            return tuple(_put_together(part, arrays) for part in content)
    raise ValueError(f"unknown kind {kind!r}")
