"""What is told while an alignment goes on: for progress bars and logs."""

from typing import Protocol, final, runtime_checkable

from rltransfer.alignment.candidates import Trial
from rltransfer.mapping import Progress


@runtime_checkable
class Watcher(Protocol):
    """Is called while an alignment goes on."""

    def source(self, name: str) -> None:
        """What follows is about the source of that name."""

    def phase(self, name: str, used: int) -> None:
        """A phase begins; `used` target steps are spent so far."""

    def fitted(self, family: str, progress: Progress) -> None:
        """A fit went on."""

    def tried(self, trial: Trial, used: int) -> None:
        """A candidate was acted with."""


@final
class Silent:
    """Shows nothing."""

    def source(self, name: str) -> None:
        """Does nothing."""

    def phase(self, name: str, used: int) -> None:
        """Does nothing."""

    def fitted(self, family: str, progress: Progress) -> None:
        """Does nothing."""

    def tried(self, trial: Trial, used: int) -> None:
        """Does nothing."""
