"""One owner per run folder, guarded by the kernel: a dead owner holds no lock."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rltransfer.errors import LockedError
from rltransfer.files import remove_drafts, storage_faults

LOCK_NAME = ".lock"
_PATIENCE_SECONDS = 2.0


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Owns `folder` for the time of the block; a second owner is refused."""
    path = folder / LOCK_NAME
    with storage_faults(path):
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        _lock(handle, folder)
        with storage_faults(path):
            os.ftruncate(handle, 0)
            os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
        remove_drafts(folder)
        # The file stays: removing it would let two owners lock two files of one name.
        yield
    finally:
        os.close(handle)


def _lock(handle: int, folder: Path) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as fault:
        raise LockedError(
            f"{folder} has one owner at a time and process {_owner(handle)} is at "
            "work in it; wait for it to end or choose another --log-folder"
        ) from fault


def _owner(handle: int) -> str:
    """Returns the number of the process that holds the lock."""
    end = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < end:
        # Right after it has locked, it has yet to write its number over another's.
        text = os.pread(handle, 32, 0).decode(errors="replace").strip()
        if text.isdecimal() and _lives(int(text)):
            return text
        time.sleep(0.01)
    return "unknown"


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        pass  # it is another user's, or no number of a process
    return True
