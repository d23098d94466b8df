"""The one file format for numbers and what is said of them; every flipped bit shows.

It is a safetensors file, so any reader of those opens it. That format alone would load
flipped bits without a word, so the header carries the SHA-256 of the whole file, taken
with zeros in the place of the hash itself. Agents, mappings, snapshots and replay logs
are such files, each with the name of its kind.
"""

import hashlib
import json
import math
import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from rltransfer.errors import ArtifactRefused
from rltransfer.io.atomic_files import storage_faults, write_atomically
from rltransfer.io.strict_json import NotPlain, TooLarge, bounded_bytes, parse_json

_LENGTH = struct.Struct("<Q")
_BEGINNING = re.compile(
    rb'\{"__metadata__":\{"format":"(?P<kind>[a-z0-9-]{1,40})",'
    rb'"sha256":"(?P<digest>[0-9a-f]{64})"'
)
_ZEROS = b"0" * 64
_CONTENT = {"rltransfer-agent-1": "agent"}
"""Key of the description, where it is not `content`: bundles of version 0.1.0."""
_DTYPES = {
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
_DTYPE_NAMES = {np.dtype(code): name for name, code in _DTYPES.items()}

_FILE_BYTES = 1 << 31
_HEADER_BYTES = 32 << 20
_MOST_ARRAYS = 1 << 14
_MOST_DIMENSIONS = 8


@final
class DamagedFile(ValueError):
    """Bytes that are not what was written, or never were such a file."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        """`checksum`, `archive`, `json`, `limit` or `tensor`."""


@final
@dataclass(frozen=True, eq=False)
class TensorFile:
    """What such a file holds."""

    content: dict[str, Any]
    """The description, as JSON."""
    arrays: dict[str, NDArray[Any]]


def kind_of(data: bytes) -> str | None:
    """Returns what kind of file these bytes begin as, None where it is another's."""
    found = _BEGINNING.match(data, _LENGTH.size)
    return None if found is None else found["kind"].decode()


def pack(
    kind: str, content: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]
) -> bytes:
    """Returns the bytes of a file.

    Args:
        kind: small letters, digits and dashes; ends in the number of its version.
        content: the description, as JSON with finite numbers.
        arrays: the numbers, by name.
    """
    text = json.dumps(content, allow_nan=False)
    key = _CONTENT.get(kind, "content")
    metadata = {"format": kind, "sha256": _ZEROS.decode(), key: text}
    header: dict[str, Any] = {"__metadata__": metadata}
    parts: list[bytes] = []
    offset = 0
    for name, array in arrays.items():
        numbers = np.ascontiguousarray(array).tobytes()
        header[name] = {
            "dtype": _DTYPE_NAMES[array.dtype.newbyteorder("<")],
            "shape": list(array.shape),
            "data_offsets": [offset, offset + len(numbers)],
        }
        offset += len(numbers)
        parts.append(numbers)
    written = json.dumps(header, separators=(",", ":"), allow_nan=False).encode()
    # Padded, so that the numbers begin where a machine can map them.
    written += b" " * (-len(written) % 8)
    start = len('{"__metadata__":{"format":"' + kind + '","sha256":"')
    digest = hashlib.sha256(b"".join([_LENGTH.pack(len(written)), written, *parts]))
    signed = digest.hexdigest().encode()
    written = written[:start] + signed + written[start + len(signed) :]
    return b"".join([_LENGTH.pack(len(written)), written, *parts])


def unpack(data: bytes, *, most_arrays: int = _MOST_ARRAYS) -> TensorFile:
    """Returns what the bytes of a file hold; whoever asks checks the kind.

    Raises:
        DamagedFile: if a single bit differs from what was written, or it is malformed.
    """
    found = _BEGINNING.match(data, _LENGTH.size)
    if found is None or found["digest"] != _digest(data, *found.span("digest")):
        raise DamagedFile("checksum", "it is not as it was written")
    # The hash tells damage, not intent: what follows trusts nothing either.
    (length,) = _LENGTH.unpack_from(data)
    start = _LENGTH.size + length
    if start > len(data):
        raise DamagedFile("archive", "its header is cut off")
    header = _object(data[_LENGTH.size : start], "its header")
    metadata = header.pop("__metadata__", None)
    key = _CONTENT.get(found["kind"].decode(), "content")
    text = metadata.get(key) if isinstance(metadata, dict) else None
    if not isinstance(text, str):
        raise DamagedFile("json", "it does not describe its content")
    if len(header) > most_arrays:
        raise DamagedFile("limit", f"it may have {most_arrays} arrays")
    numbers = memoryview(data)[start:]
    arrays, end = {}, 0
    for name, entry in header.items():
        arrays[name], end = _array(name, entry, numbers, end)
    if end != len(numbers):
        raise DamagedFile("tensor", "its arrays do not fill it")
    return TensorFile(_object(text.encode(), "its description"), arrays)


def write_tensor_file(
    path: Path, kind: str, content: Mapping[str, Any], arrays: Mapping[str, Any]
) -> None:
    """Writes a file, whole or not at all."""
    write_atomically(path, pack(kind, content, arrays))


def read_tensor_file(path: Path, kind: str) -> TensorFile:
    """Returns what a file holds.

    Args:
        path: of the file.
        kind: what it must be.

    Raises:
        ArtifactRefused: if it is damaged, or of another kind or version.
    """
    try:
        with storage_faults(path):
            data = bounded_bytes(path, _FILE_BYTES)
        found = kind_of(data)
        if found not in (None, kind):
            raise ArtifactRefused(
                f"{path} has format {found!r}, this version reads {kind!r}; use the "
                "version of rltransfer that wrote it"
            )
        return unpack(data)
    except (DamagedFile, NotPlain, TooLarge) as fault:
        raise ArtifactRefused(
            f"{path} is damaged ({fault}); restore it or make it anew"
        ) from fault


def _digest(data: bytes, start: int, end: int) -> bytes:
    digest = hashlib.sha256(data[:start])
    digest.update(_ZEROS)
    digest.update(memoryview(data)[end:])
    return digest.hexdigest().encode()


def _object(data: bytes, what: str) -> dict[str, Any]:
    try:
        value = parse_json(data, most=_HEADER_BYTES)
    except TooLarge as fault:
        raise DamagedFile("limit", f"{what}: {fault}") from fault
    except ValueError as fault:
        raise DamagedFile("json", f"{what} is not strict JSON ({fault})") from fault
    if not isinstance(value, dict):
        raise DamagedFile("json", f"{what} must be an object")
    return value


def _array(
    name: str, entry: Any, numbers: memoryview, start: int
) -> tuple[NDArray[Any], int]:
    """Returns an array that begins at `start`, and where it ends."""
    shown = repr(name[:80])
    if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
        raise DamagedFile("tensor", f"{shown} is not described as an array")
    kind, shape = entry["dtype"], entry["shape"]
    if not isinstance(kind, str) or kind not in _DTYPES:
        raise DamagedFile("tensor", f"{shown} has an unknown type of number")
    if (
        not isinstance(shape, list)
        or len(shape) > _MOST_DIMENSIONS
        or not all(type(size) is int and size >= 0 for size in shape)
    ):
        raise DamagedFile(
            "tensor", f"a shape must be at most {_MOST_DIMENSIONS} whole numbers"
        )
    # Also of an empty one, whose other sizes cost no bytes.
    if math.prod(max(size, 1) for size in shape) > _FILE_BYTES:
        raise DamagedFile("limit", "an array announces more than a file may hold")
    dtype = np.dtype(_DTYPES[kind])
    end = start + math.prod(shape) * dtype.itemsize
    if entry["data_offsets"] != [start, end] or end > len(numbers):
        raise DamagedFile("tensor", f"{shown} is not where its offsets say")
    part = np.frombuffer(numbers[start:end], np.uint8)
    if kind == "BOOL" and (part > 1).any():
        raise DamagedFile("tensor", "a truth value must be 0 or 1")
    # A copy: what was read may be written to, and begins where numbers of its size may.
    return part.copy().view(dtype).reshape(shape), end
