"""A run that goes on writes to its own folder, and elsewhere only where it did before.

Folders of runs are passed around; none may make us write or read outside it.
"""

import os
import stat
from pathlib import Path

from rltransfer.io import make_folder, sha256_of, storage_faults, write_atomically
from rltransfer_agents.loading.refusal import Refusal, printable


def require_own_files(run: Path) -> None:
    """Raises if anything in a run's folder is a link, a pipe or a device.

    Through a link the run would change files elsewhere, and a pipe would block it.
    """
    with storage_faults(run):
        for folder, folders, files in os.walk(run):
            for name in (*folders, *files):
                path = Path(folder, name)
                mode = path.lstat().st_mode
                if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
                    raise Refusal(
                        "folder",
                        f"the folder of a run that goes on holds plain files and "
                        f"folders, {printable(path)} is neither",
                    )


def mark_of(run: Path) -> str:
    """Returns a name of this run on this machine; a copy elsewhere has another."""
    return sha256_of(str(run.resolve()).encode())[:12]


def mark_logs(logs: Path, run: Path) -> None:
    """Marks a folder outside the run's own as one that the user named for its logs."""
    if not _is_within(logs, run):
        write_atomically(make_folder(logs) / f".run.{mark_of(run)}", b"")


def require_own_logs(logs: Path, run: Path) -> None:
    """Raises unless logs lie within the run's folder, or in one with its mark."""
    if _is_within(logs, run):
        return
    ending = f".{mark_of(run)}"
    if not logs.is_dir() or not any(
        path.name.endswith(ending) for path in logs.iterdir()
    ):
        raise Refusal(
            "folder",
            f"a run writes outside its folder only where it wrote from its beginning, "
            f"and {printable(logs)} bears no mark of {printable(run)}",
        )


def _is_within(path: Path, folder: Path) -> bool:
    return path.resolve().is_relative_to(folder.resolve())
