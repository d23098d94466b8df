"""Run folders that are written to again: a file in them must not say where.

A run goes on by what lies in its folder, and that folder may be a stranger's. It may
write, cut and remove files there and nowhere else, except in a folder for TensorBoard
that bears its mark since the day the user named it.
"""

import hashlib
import os
import stat
from pathlib import Path

from rltransfer.io import make_folder, storage_faults, write_atomically
from rltransfer_agents.reading.refusal import Refusal, spelt


def require_own_files(run: Path) -> None:
    """Raises if anything in a run's folder is a link, a pipe or a device.

    A link would lend what the run does to its own files to files elsewhere, and a pipe
    would keep it waiting for ever.
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
                        f"folders, {spelt(path)} is neither",
                    )


def mark_of(run: Path) -> str:
    """Returns what tells a run from others, also from one that a stranger packed."""
    return hashlib.sha256(str(run.resolve()).encode()).hexdigest()[:12]


def mark_logs(logs: Path, run: Path) -> None:
    """Leaves the mark of a run in a folder that the user named for its logs."""
    if not _is_within(logs, run):
        write_atomically(make_folder(logs) / f".run.{mark_of(run)}", b"")


def require_own_logs(logs: Path, run: Path) -> None:
    """Raises unless logs lie within the run's folder, or where they bear its mark."""
    if _is_within(logs, run):
        return
    ending = f".{mark_of(run)}"
    if not logs.is_dir() or not any(
        path.name.endswith(ending) for path in logs.iterdir()
    ):
        raise Refusal(
            "folder",
            f"a run writes outside its folder only where it wrote from its beginning, "
            f"and {spelt(logs)} bears no mark of {spelt(run)}",
        )


def _is_within(path: Path, folder: Path) -> bool:
    return path.resolve().is_relative_to(folder.resolve())
