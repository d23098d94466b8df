"""Who is told how an alignment goes on."""

from typing import Protocol, runtime_checkable

from rltransfer.alignment.trials import Trial
from rltransfer.mapping import Progress


@runtime_checkable
class Watcher(Protocol):
    """Told what happens while it happens: progress bars, logs."""

    def phase(self, name: str, used: int) -> None:
        """A phase begins; `used` target steps are spent so far."""

    def fitted(self, rung: str, progress: Progress) -> None:
        """A fit went on."""

    def tried(self, trial: Trial, used: int) -> None:
        """A candidate was acted with."""


class Silent:
    """Is told everything and says nothing."""

    def phase(self, name: str, used: int) -> None:
        """Says nothing."""

    def fitted(self, rung: str, progress: Progress) -> None:
        """Says nothing."""

    def tried(self, trial: Trial, used: int) -> None:
        """Says nothing."""
