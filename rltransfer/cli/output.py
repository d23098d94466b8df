"""What the command line prints and where, also when nobody foresaw the end."""

import json
import os
import signal
import sys
import tempfile
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path
from typing import Any, final

from rltransfer.errors import UserError, run_folder_of
from rltransfer.resume.stop_signals import StopSignal, StopSignals

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


@contextmanager
def standard_output_reserved(reserved: bool) -> Iterator[None]:
    """Sends everything written to standard output to standard error for a while.

    Also what C libraries and child processes write, which know the descriptor only.

    Args:
        reserved: whether to do so at all.
    """
    if not reserved:
        yield
        return
    output, sys.stdout = sys.stdout, sys.stderr
    original = _redirected(output)
    try:
        yield
    finally:
        sys.stdout.flush()
        sys.stdout = output
        if original is not None:
            os.dup2(original, 1)
            os.close(original)


def print_json(value: dict[str, Any]) -> None:
    """Prints one JSON object on standard output."""
    print(json.dumps(value, allow_nan=False), flush=True)


def print_error(message: str) -> None:
    """Prints one line about what went wrong on standard error."""
    from rich.console import Console
    from rich.text import Text

    # Names out of files may hold what terminals act upon.
    shown = "".join(c if c.isprintable() else repr(c)[1:-1] for c in message)
    line = Text.assemble(("error: ", "bold red"), " ".join(shown.split()))
    Console(file=sys.stderr).print(line, soft_wrap=True)


def _redirected(output: Any) -> int | None:
    """Points descriptor 1 to standard error; returns a copy of what it was."""
    try:
        if output.fileno() != 1:
            return None
        output.flush()
        copy = os.dup(1)
        os.dup2(sys.stderr.fileno(), 1)
    except (OSError, ValueError):
        # A test's or a notebook's stream has no descriptor that others could write to.
        return None
    return copy


@final
class Interrupted(UserError):
    """Ctrl-C stopped a verb that cannot be resumed."""

    exit_status = 130


@final
class Terminated(UserError):
    """SIGTERM stopped a verb that cannot be resumed."""

    exit_status = 143


@contextmanager
def interruptible() -> Iterator[None]:
    """Turns Ctrl-C and SIGTERM into an error that says what was kept."""
    try:
        with StopSignals(patience=0):
            yield
    except KeyboardInterrupt as stop:
        kept = "; ".join(getattr(stop, "__notes__", ())) or "kept: nothing"
        terminated = isinstance(stop, StopSignal) and stop.number == signal.SIGTERM
        kind = Terminated if terminated else Interrupted
        raise kind(
            f"stopped before the end; {kept}; run the same command again"
        ) from None
