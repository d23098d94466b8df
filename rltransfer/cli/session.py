"""One call of the command line: what it wants printed, what it has kept so far."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import final

from rltransfer.errors import UserError


@final
class Interrupted(UserError):
    """The user stopped a verb that cannot be resumed."""

    exit_status = 130


@final
@dataclass(eq=False)
class Session:
    """What every verb and what prints for it share."""

    json: bool = False
    kept: list[Path] = field(default_factory=list)
    """Folders that hold finished work, should the verb be stopped."""

    def keep(self, folder: Path) -> None:
        """Remembers that `folder` stays, whatever comes."""
        self.kept.append(folder)

    @contextmanager
    def interruptible(self) -> Iterator[None]:
        """Turns Ctrl-C into an error that says what was kept."""
        try:
            yield
        except KeyboardInterrupt:
            kept = ", ".join(map(str, self.kept)) or "nothing"
            raise Interrupted(
                f"stopped before the end; kept: {kept}; run the same command again"
            ) from None


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
