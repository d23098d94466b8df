"""Files on disk: written whole or not at all, and read strictly."""

import errno
import hashlib
import json
import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rltransfer.errors import ArtifactRefused, StorageError

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_FORBIDDEN = {errno.EROFS, errno.EACCES, errno.EPERM}
_GONE = {errno.ENOENT, errno.ENOTDIR, errno.ESTALE}
_CHUNK = 1 << 20


def reached(point: str) -> None:
    """Marks a named point of the writer; tests replace it to strike there.

    The points, in order: `before_write`, `half_written`, `before_sync`,
    `before_rename`, `before_folder_sync`, `written`.
    """


@contextmanager
def storage_faults(path: Path) -> Iterator[None]:
    """Turns what the disk refuses for `path` into a `StorageError` of one line."""
    try:
        yield
    except StorageError:
        raise
    except OSError as fault:
        raise StorageError(_refusal(path, fault)) from fault


def write_atomically(path: Path, data: bytes) -> None:
    """Writes a file so that a reader, or a crash, sees the old or the new one whole."""
    # The leading dot and the ending keep it out of every pattern that looks for files.
    draft = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with storage_faults(path):
        try:
            reached("before_write")
            with draft.open("wb") as file:
                half = len(data) // 2
                file.write(data[:half])
                file.flush()
                reached("half_written")
                file.write(data[half:])
                file.flush()
                reached("before_sync")
                os.fsync(file.fileno())
            reached("before_rename")
            draft.replace(path)
            reached("before_folder_sync")
            _sync_folder(path.parent)
            reached("written")
        except OSError:
            _remove_quietly(draft)
            raise


def make_folder(path: Path) -> Path:
    """Returns `path` as a folder, made with its parents where it is missing."""
    with storage_faults(path):
        path.mkdir(parents=True, exist_ok=True)
    return path


def remove_drafts(folder: Path) -> None:
    """Removes what writers left that were killed; only the folder's owner may."""
    with storage_faults(folder):
        for draft in folder.rglob(".*.tmp"):
            draft.unlink(missing_ok=True)


def sha256_of(path: Path) -> str:
    """Returns the SHA-256 of a file in hexadecimal."""
    digest = hashlib.sha256()
    with storage_faults(path), path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def write_json(path: Path, value: object) -> None:
    """Writes `value` with sorted keys; refuses numbers that JSON does not have."""
    text = json.dumps(value, indent=2, sort_keys=True, allow_nan=False)
    write_atomically(path, f"{text}\n".encode())


def read_json(path: Path) -> Any:
    """Returns the value of a JSON file without duplicate keys or infinite numbers."""
    with storage_faults(path):
        data = path.read_bytes()
    try:
        return json.loads(
            data.decode(),
            object_pairs_hook=_unique_keys,
            parse_constant=_finite,
            parse_float=_finite,
        )
    # json recurses once per bracket, so deep nesting ends in a RecursionError.
    except (ValueError, RecursionError) as fault:
        reason = "nested too deeply" if isinstance(fault, RecursionError) else fault
        raise ArtifactRefused(
            f"{path} is not strict JSON ({reason}); restore it or write it anew"
        ) from fault


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    entries = dict(pairs)
    if len(entries) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"key {twice!r} is given twice")
    return entries


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"number {text} is not finite")
    return number


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as fault:
        # Some network filesystems cannot sync a folder; they order renames themselves.
        if fault.errno != errno.EINVAL:
            raise
    finally:
        os.close(handle)


def _remove_quietly(draft: Path) -> None:
    try:
        draft.unlink(missing_ok=True)
    except OSError:
        # The fault that brought us here is the one to report.
        return


def _refusal(path: Path, fault: OSError) -> str:
    reason = fault.strerror or str(fault) or type(fault).__name__
    if fault.errno in _FULL:
        return f"{path}: no space left on the disk ({reason}); free some, then resume"
    if fault.errno in _FORBIDDEN:
        return f"{path}: not allowed here ({reason}); choose another --log-folder"
    if fault.errno in _GONE:
        return f"{path}: file or folder is gone ({reason}); restore it or start anew"
    return f"{path}: the disk failed ({reason}); check it, then resume"
