"""Files read strictly: bounded size, plain files only, no ambiguity."""

import hashlib
import json
import math
import os
import re
import stat
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import ValidationError

from rltransfer.errors import ArtifactRefused
from rltransfer.io.atomic_files import storage_faults


class FirstError(NamedTuple):
    """The first of the errors that pydantic found in a value from a file."""

    path: tuple[str, ...]
    """Keys and places from the outermost value to the wrong one."""
    kind: str
    """Pydantic's name for it, such as `missing`."""
    message: str
    value: Any
    """The wrong one."""

    @classmethod
    def of(cls, fault: ValidationError) -> "FirstError":
        """Returns the first error of a validation that failed."""
        first = fault.errors(include_url=False)[0]
        path = tuple(str(part) for part in first["loc"])
        return cls(path, first["type"], first["msg"], first["input"])

    @property
    def where(self) -> str:
        """The path, with dots."""
        return ".".join(self.path)

    def __str__(self) -> str:
        return f"{self.where}: {self.message}" if self.path else self.message


_CHUNK = 1 << 20
# The largest files that are written hold statistics of pictures, a line per number.
_JSON_BYTES = 16 << 20
# Once read, a value takes up to two hundred bytes; a list or an object takes longer.
_JSON_VALUES = 1 << 19
_JSON_CONTAINERS = 1 << 17
_JSON_DEPTH = 64
_BRACKETS_AND_TEXTS = re.compile(
    # Possessive, and content with an open end: linear in the length of any input.
    r'"[^"\\]*+(?:\\.[^"\\]*+)*+"?|[\[\]{}]',
    re.DOTALL,
)


class NotPlain(ValueError):
    """What is at a path is a folder, a pipe or a device."""


class TooLarge(ValueError):
    """A file has more bytes, or a text more values, than are read."""


def sha256_of(data: bytes | Path) -> str:
    """Returns the SHA-256 of bytes, or of a file, in hexadecimal."""
    if not isinstance(data, Path):
        return hashlib.sha256(data).hexdigest()
    digest = hashlib.sha256()
    with storage_faults(data), data.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def bounded_bytes(path: Path, most: int) -> bytes:
    """Returns the bytes of a plain file that has at most so many.

    Raises:
        NotPlain: if it is no plain file.
        TooLarge: if it has more, before any is read.
        OSError: if the disk refuses.
    """
    # A pipe or a device could keep its reader waiting for ever.
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(handle, "rb") as file:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):
            raise NotPlain("it is no plain file")
        # Holes count as well: on disk they take nothing, in memory they would.
        data = file.read(most + 1) if status.st_size <= most else None
    if data is None or len(data) > most:
        raise TooLarge(f"it may have {most} bytes, it has more")
    return data


def read_json(path: Path, *, most: int = _JSON_BYTES) -> Any:
    """Returns the value of a JSON file without duplicate keys or infinite numbers.

    Args:
        path: of the file.
        most: bytes that it may have.
    """
    try:
        with storage_faults(path):
            data = bounded_bytes(path, most)
        return parse_json(data, most=most)
    except ValueError as fault:
        raise ArtifactRefused(
            f"{path} is not strict JSON ({fault}); restore it or write it anew"
        ) from fault


def parse_json(data: bytes, *, most: int, finite: bool = True) -> Any:
    """Returns the value of JSON with each key given once at every depth.

    Args:
        data: as it was written.
        most: bytes that it may have.
        finite: whether numbers such as Infinity are refused.

    Raises:
        TooLarge: if it has more bytes or values than are read.
        ValueError: if it is damaged, ambiguous or nested deeply.
    """
    if len(data) > most:
        raise TooLarge(f"JSON may have {most} bytes, got {len(data)}")
    _check_counts(data)
    text = data.decode()
    _check_depth(text)
    try:
        return json.loads(
            text,
            object_pairs_hook=_unique_keys,
            parse_constant=_finite if finite else None,
            parse_float=_finite if finite else None,
        )
    # The stack may be deep already where this is called.
    except RecursionError as fault:
        raise ValueError("nested too deeply") from fault


def _check_counts(data: bytes) -> None:
    # Marks inside of texts count too: to tell them apart takes as long as reading.
    containers = data.count(b"[") + data.count(b"{")
    if containers > _JSON_CONTAINERS:
        raise TooLarge(
            f"JSON may have {_JSON_CONTAINERS} lists and objects, this has more"
        )
    # Each value but the first follows a comma or opens what holds it.
    if data.count(b",") + containers > _JSON_VALUES:
        raise TooLarge(f"JSON may have {_JSON_VALUES} values, this has more")


def _check_depth(text: str) -> None:
    depth = 0
    for match in _BRACKETS_AND_TEXTS.finditer(text):
        bracket = match[0]
        if bracket in "[{":
            depth += 1
            if depth > _JSON_DEPTH:
                raise ValueError(f"JSON may nest {_JSON_DEPTH} deep, this nests deeper")
        elif bracket in "]}":
            depth -= 1


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    entries = dict(pairs)
    if len(entries) < len(pairs):
        twice, _ = Counter(key for key, _ in pairs).most_common(1)[0]
        raise ValueError(f"key {twice[:80]!r} is given twice")
    return entries


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"number {text[:80]} is not finite")
    return number
