"""One call of the command line: what it wants printed, what it has kept so far."""

import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import final

from rltransfer.errors import InputError, UserError


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
