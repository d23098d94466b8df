"""A file of text and arrays that shows every flipped bit.

It is a safetensors file, so any reader of those opens it. That format alone would load
flipped bits without a word, so the header carries the SHA-256 of the whole file, taken
with zeros in the place of the hash itself.
"""

import hashlib
import json
import math
import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rltransfer_agents.loading import limits
from rltransfer_agents.loading.pickled_arrays import read_shape
from rltransfer_agents.loading.refusal import Refusal, parse_object, quoted

SUFFIX = ".safetensors"
_LENGTH = struct.Struct("<Q")
_BEGINNING = b'{"__metadata__":{"format":"rltransfer-agent-1","sha256":"'
_DIGEST = slice(_LENGTH.size + len(_BEGINNING), _LENGTH.size + len(_BEGINNING) + 64)
_ZEROS = "0" * 64
_TYPES = {
    "F64": "<f8",
    "F32": "<f4",
    "F16": "<f2",
    "I64": "<i8",
    "I32": "<i4",
    "I16": "<i2",
    "I8": "|i1",
    "U64": "<u8",
    "U32": "<u4",
    "U16": "<u2",
    "U8": "|u1",
    "BOOL": "|b1",
}
_TYPE_NAMES = {np.dtype(code): name for name, code in _TYPES.items()}


def is_container(data: bytes) -> bool:
    """Tells whether a file begins as these do."""
    return data[_LENGTH.size :].startswith(_BEGINNING)


def pack(text: str, arrays: dict[str, NDArray[Any]]) -> bytes:
    """Returns the bytes of a file that holds `text` and `arrays`."""
    metadata = {"format": "rltransfer-agent-1", "sha256": _ZEROS, "agent": text}
    header: dict[str, Any] = {"__metadata__": metadata}
    parts: list[bytes] = []
    offset = 0
    for name, array in arrays.items():
        contents = np.ascontiguousarray(array).tobytes()
        header[name] = {
            "dtype": _TYPE_NAMES[array.dtype.newbyteorder("<")],
            "shape": list(array.shape),
            "data_offsets": [offset, offset + len(contents)],
        }
        offset += len(contents)
        parts.append(contents)
    written = json.dumps(header, separators=(",", ":"), allow_nan=False).encode()
    # Padded, so that the numbers begin where a machine can map them.
    written += b" " * (-len(written) % 8)
    blank = b"".join([_LENGTH.pack(len(written)), written, *parts])
    digest = hashlib.sha256(blank).hexdigest().encode()
    return blank[: _DIGEST.start] + digest + blank[_DIGEST.stop :]


def unpack(data: bytes) -> tuple[str, dict[str, NDArray[Any]]]:
    """Returns the text and the arrays of a file.

    Raises:
        Refusal: if a single bit differs from what was written, or it is malformed.
    """
    blank = data[: _DIGEST.start] + _ZEROS.encode() + data[_DIGEST.stop :]
    digest = hashlib.sha256(blank).hexdigest().encode()
    if not is_container(data) or digest != data[_DIGEST]:
        raise Refusal("checksum", "the bundle is not as it was written")
    # The hash tells damage, not intent: what follows trusts nothing either.
    (length,) = _LENGTH.unpack_from(data)
    start = _LENGTH.size + length
    if start > len(data):
        raise Refusal("archive", "the bundle's header is cut off")
    header = parse_object(data[_LENGTH.size : start])
    metadata = header.pop("__metadata__")
    text = metadata.get("agent") if isinstance(metadata, dict) else None
    if not isinstance(text, str):
        raise Refusal("json", "the bundle does not describe its agent")
    if len(header) > limits.TENSORS:
        raise Refusal("limit", f"a bundle may have {limits.TENSORS} arrays")
    numbers = data[start:]
    arrays = {name: _array(name, entry, numbers) for name, entry in header.items()}
    if sum(array.nbytes for array in arrays.values()) != len(numbers):
        raise Refusal("tensor", "the bundle's arrays do not fill it")
    return text, arrays


def _array(name: str, entry: Any, numbers: bytes) -> NDArray[Any]:
    if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
        raise Refusal("tensor", f"{quoted(name)} is not described as an array")
    kind, offsets = entry["dtype"], entry["data_offsets"]
    if not isinstance(kind, str) or kind not in _TYPES:
        raise Refusal("tensor", f"{quoted(name)} has an unknown type of number")
    shape, dtype = read_shape(entry["shape"]), np.dtype(_TYPES[kind])
    if (
        not isinstance(offsets, list)
        or len(offsets) != 2
        or not all(type(offset) is int for offset in offsets)
        or not 0 <= offsets[0] <= offsets[1] <= len(numbers)
        or offsets[1] - offsets[0] != math.prod(shape) * dtype.itemsize
    ):
        raise Refusal("tensor", f"{quoted(name)} does not lie where it is announced")
    contents = numbers[offsets[0] : offsets[1]]
    if kind == "BOOL" and contents.translate(None, b"\x00\x01"):
        raise Refusal("tensor", "a truth value must be 0 or 1")
    return np.frombuffer(contents, dtype).reshape(shape)
