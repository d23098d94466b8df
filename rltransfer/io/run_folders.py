"""Run folders: names as RL Zoo gives them (`root/algo/ENV_N`), and one owner each."""

import fcntl
import os
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rltransfer.errors import InputError, LockedError, StorageError, faults_in
from rltransfer.io.atomic_files import make_folder, remove_drafts, storage_faults


def folder_name(env_id: str) -> str:
    """Returns the id of an environment as a name that a folder can bear."""
    return env_id.replace("/", "-").replace(":", "-")


def require_writable(log_folder: Path, option: str = "--log-folder") -> Path:
    """Returns the folder that an option names, if it is there or can be made.

    Nothing is made yet: what is found to be wrong later leaves no folder behind.
    """
    with storage_faults(log_folder):
        known = log_folder.absolute()
        while not known.exists():
            known = known.parent
        is_folder = known.is_dir()
    if not is_folder:
        raise StorageError(
            f"{option} must be a folder, {known} is none; choose another"
        )
    if not os.access(known, os.W_OK | os.X_OK):
        raise StorageError(f"{option} must be writable, {known} is not; choose another")
    return log_folder


def next_run_folder(root: Path, algorithm: str, env_id: str) -> Path:
    """Makes and returns the first folder whose number is above all others."""
    parent = make_folder(root / algorithm)
    name = folder_name(env_id)
    pattern = re.compile(rf"{re.escape(name)}_(\d+)")
    with storage_faults(parent):
        matches = [pattern.fullmatch(path.name) for path in parent.iterdir()]
    number = max((int(match[1]) for match in matches if match), default=0) + 1
    while True:
        folder = parent / f"{name}_{number}"
        with storage_faults(folder):
            try:
                # Exclusive, so that two runs that start at once never share a folder.
                folder.mkdir()
            except FileExistsError:
                number += 1
                continue
        return folder


def copy_run(run: Path, path: Path) -> Path:
    """Copies the folder of a finished run to `path`, and returns it.

    Raises:
        InputError: `path` exists already.
    """
    if path.exists():
        raise InputError(f"a run is saved to a new folder, {path} exists already")
    with storage_faults(path):
        # Hidden files are the lock of the run and what it went on from.
        shutil.copytree(run, path, ignore=shutil.ignore_patterns(".*"))
    return path


LOCK_NAME = ".lock"
_PATIENCE_SECONDS = 2.0


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Owns `folder` for the time of the block; a second owner is refused."""
    path = folder / LOCK_NAME
    with storage_faults(path):
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as fault:
            raise LockedError(
                f"{folder} has one owner at a time and process {_owner(handle)} is at "
                "work in it; wait for it to end, or start a new run"
            ) from fault
        with storage_faults(path):
            os.ftruncate(handle, 0)
            os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
        remove_drafts(folder)
        # The file stays: removing it would let two owners lock two files of one name.
        with faults_in(folder):
            yield
    finally:
        os.close(handle)


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
