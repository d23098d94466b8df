"""One call of the command line: what it prints and where, and what it has kept."""

import json
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any, Protocol, final, runtime_checkable

from rich.console import Console, RenderableType
from rich.text import Text

from rltransfer.errors import InputError, UserError


@runtime_checkable
class Outcome(Protocol):
    """The result of a verb; printed in one of two ways, never in both."""

    def as_json(self) -> dict[str, Any]:
        """Returns the one object that `--json` prints."""
        ...

    def as_table(self) -> RenderableType:
        """Returns what a person reads."""
        ...


@contextmanager
def output_kept_clean(clean: bool) -> Iterator[None]:
    """Sends everything written to standard output to standard error for a while.

    Also what C libraries and child processes write, who know the descriptor only.

    Args:
        clean: whether to do so at all.
    """
    if not clean:
        yield
        return
    output, sys.stdout = sys.stdout, sys.stderr
    kept = _redirected(output)
    try:
        yield
    finally:
        sys.stdout.flush()
        sys.stdout = output
        if kept is not None:
            os.dup2(kept, 1)
            os.close(kept)


def print_json(value: dict[str, Any]) -> None:
    """Prints one JSON object on standard output."""
    print(json.dumps(value, allow_nan=False), flush=True)


def print_error(message: str) -> None:
    """Prints one line about what went wrong on standard error."""
    # Names out of files and of files may hold what terminals act upon.
    told = "".join(c if c.isprintable() else repr(c)[1:-1] for c in message)
    line = Text.assemble(("error: ", "bold red"), " ".join(told.split()))
    Console(file=sys.stderr).print(line, soft_wrap=True)


def _redirected(output: Any) -> int | None:
    """Points descriptor 1 to standard error; returns a copy of what it was."""
    try:
        if output.fileno() != 1:
            return None
        output.flush()
        kept = os.dup(1)
        os.dup2(sys.stderr.fileno(), 1)
    except (OSError, ValueError):
        # A test's or a notebook's stream has no descriptor that others could write to.
        return None
    return kept


@final
class Interrupted(UserError):
    """Ctrl-C stopped a verb that cannot be resumed."""

    exit_status = 130


@final
class Terminated(UserError):
    """SIGTERM stopped a verb that cannot be resumed."""

    exit_status = 143


_BESIDE_RESUME = ("--resume", "--json", "--progress", "-P")


class _Stop(KeyboardInterrupt):
    """SIGTERM, raised where it struck."""


@final
@dataclass(eq=False)
class Session:
    """What every verb and what prints for it share."""

    words: Sequence[str] = ()
    """As they were typed."""
    kept: list[Path] = field(default_factory=list)
    """Folders that hold finished work, should the verb be stopped."""

    @property
    def json(self) -> bool:
        """Whether standard output carries one object of JSON and nothing else."""
        return "--json" in self.words

    def require_alone(self, *also: str) -> None:
        """Raises if more was typed beside `--resume` than how to show what happens.

        Args:
            also: options that may be given too.
        """
        for word in self.words:
            option = word.partition("=")[0]
            if option.startswith("-") and option not in (*_BESIDE_RESUME, *also):
                raise InputError(
                    "--resume takes all else from the folder of the run, got "
                    f"{option} too; drop it, or drop --resume for a new run"
                )

    def keep(self, folder: Path) -> None:
        """Remembers that `folder` stays, whatever comes."""
        self.kept.append(folder)

    @contextmanager
    def interruptible(self) -> Iterator[None]:
        """Turns Ctrl-C and SIGTERM into an error that says what was kept."""
        try:
            with _sigterm_raised():
                yield
        except KeyboardInterrupt as stop:
            kept = ", ".join(map(str, self.kept)) or "nothing"
            kind = Terminated if isinstance(stop, _Stop) else Interrupted
            raise kind(
                f"stopped before the end; kept: {kept}; run the same command again"
            ) from None


@contextmanager
def _sigterm_raised() -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        # Python hands signals to the main thread alone; it has to see to them.
        yield
        return

    def strike(number: int, frame: FrameType | None) -> None:
        del number, frame
        raise _Stop

    before = signal.signal(signal.SIGTERM, strike)
    try:
        yield
    finally:
        # Unless a run that was stopped is deaf to it by now.
        if signal.getsignal(signal.SIGTERM) is strike:
            signal.signal(signal.SIGTERM, before)


_CURRENT: ContextVar[Session] = ContextVar("session")


@contextmanager
def opened(session: Session) -> Iterator[None]:
    """Makes `session` the current one for a while."""
    token = _CURRENT.set(session)
    try:
        yield
    finally:
        _CURRENT.reset(token)


def current_session() -> Session:
    """Returns the session of the call that is being worked on."""
    return _CURRENT.get()
