"""What the command line prints and where, and how signals end it."""

import json
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol, final, runtime_checkable

from rltransfer.errors import UserError
from rltransfer.resume.stop_signals import StopSignal, StopSignals


@runtime_checkable
class Outcome(Protocol):
    """What a verb returns; printed in one of two ways, never in both."""

    def as_json(self) -> dict[str, Any]:
        """Returns the one object that `--json` prints."""
        ...

    def __rich__(self) -> Any:
        """Returns what rich prints for a person."""
        ...


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
