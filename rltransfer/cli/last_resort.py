"""What nobody foresaw: one line, with the traceback in a file to report it with."""

import os
import tempfile
import traceback
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path

from rltransfer.errors import run_folder_of

NAME = "traceback.txt"


def unforeseen(fault: Exception) -> str:
    """Writes the traceback of `fault` into a file and returns the line to print."""
    text = "".join(traceback.format_exception(fault))
    path = _written(text, run_folder_of(fault))
    where = "it could not be written to a file" if path is None else f"is in {path}"
    first = next(iter(str(fault).splitlines()), "no message")
    return (
        f"rltransfer failed with an unforeseen {type(fault).__name__} ({first}), which "
        f"is a fault of ours; its traceback {where}: report it, with that file, to "
        f"{_tracker()}"
    )


def _written(text: str, folder: Path | None) -> Path | None:
    """Returns where the text was written: the run's folder, or one for such files."""
    if folder is not None:
        try:
            (folder / NAME).write_text(text, encoding="utf-8", errors="replace")
        except OSError:
            pass  # it may be gone or full, which may be the fault itself
        else:
            return folder / NAME
    try:
        handle, name = tempfile.mkstemp(".txt", "rltransfer-traceback-")
        with os.fdopen(handle, "w", encoding="utf-8", errors="replace") as file:
            file.write(text)
    except OSError:
        return None
    return Path(name)


def _tracker() -> str:
    try:
        urls = metadata("rltransfer").get_all("Project-URL") or []
    except PackageNotFoundError:
        urls = []
    named: dict[str, str] = dict(url.split(", ", 1) for url in urls)
    return named.get("Issues", "the issue tracker of rltransfer")
