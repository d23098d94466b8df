"""Files written whole or not at all; a fault of the disk becomes one line."""

import errno
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from rltransfer.errors import StorageError

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_FORBIDDEN = {errno.EROFS, errno.EACCES, errno.EPERM}
_GONE = {errno.ENOENT, errno.ESTALE}
_TAKEN = {errno.EEXIST, errno.ENOTDIR, errno.EISDIR}


@contextmanager
def storage_faults(path: Path) -> Iterator[None]:
    """Turns what the disk refuses for `path` into a `StorageError` of one line."""
    try:
        yield
    except StorageError:
        raise
    except OSError as fault:
        raise StorageError(_refusal(path, fault)) from fault


def _refusal(path: Path, fault: OSError) -> str:
    reason = fault.strerror or str(fault) or type(fault).__name__
    # A run that can go on adds by which command; other verbs are typed again.
    if fault.errno in _FULL:
        return f"{path}: no space left on the disk ({reason}); free some"
    if fault.errno in _FORBIDDEN:
        return (
            f"{path}: not allowed here ({reason}); make it writable, or choose another "
            "folder"
        )
    if fault.errno in _GONE:
        return f"{path}: file or folder is gone ({reason}); restore it, or start anew"
    if fault.errno in _TAKEN:
        return (
            f"{path}: there is a file where a folder should be, or the reverse "
            f"({reason}); move it away, or choose another folder"
        )
    return f"{path}: the disk failed ({reason}); check it"


def write_atomically(path: Path, data: bytes) -> None:
    """Writes a file so that a reader, or a crash, sees the old or the new one whole."""
    # The leading dot and the ending keep it out of every pattern that looks for files.
    draft = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with storage_faults(path):
        try:
            _write_synced(draft, 0, data, os.O_TRUNC)
            os.replace(draft, path)
            _sync_folder(path.parent)
        except (OSError, KeyboardInterrupt):
            # The fault that brought us here is the one to report.
            with suppress(OSError):
                draft.unlink(missing_ok=True)
            raise


def write_after(path: Path, offset: int, data: bytes) -> None:
    """Writes `data` into a file at `offset`; what was there and behind is lost.

    What comes before `offset` survives a crash at any moment.
    """
    with storage_faults(path):
        _write_synced(path, offset, data)
        _sync_folder(path.parent)


def write_all(handle: int, data: bytes) -> None:
    """Writes all of `data` to a file that is open; raises what the disk raises."""
    # A disk that fills up takes a part without an error, and refuses the next one.
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(handle, rest) :]


def _write_synced(path: Path, offset: int, data: bytes, flags: int = 0) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | flags, 0o666)
    try:
        os.lseek(handle, offset, os.SEEK_SET)
        write_all(handle, data)
        os.ftruncate(handle, offset + len(data))
        os.fsync(handle)
    finally:
        os.close(handle)


def cut_back(path: Path, length: int) -> None:
    """Cuts off what comes after `length` bytes of a file that exists."""
    with storage_faults(path):
        if path.stat().st_size > length:
            os.truncate(path, length)


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


def write_json(path: Path, value: object) -> None:
    """Writes `value` with sorted keys; refuses numbers that JSON does not have."""
    text = json.dumps(value, indent=2, sort_keys=True, allow_nan=False)
    write_atomically(path, f"{text}\n".encode())


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
