"""What was acted so far, written down: an interrupted run never acts it again.

Acting and fitting follow from seeds, so the finished stretches of acting are all that
a run needs to go on from: each is answered from here, and what is fitted in between is
fitted again, to the same bits. A stretch that was broken off is taken again from its
reset. Its steps are noted where the process lives to do so; `kill -9` loses them.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias, final

from rltransfer.domain.heading import (
    FORMAT,
    REQUEST,
    read_request,
    require_same,
    surroundings,
)
from rltransfer.domain.rollout import Rollout
from rltransfer.domain.sealing import (
    as_json,
    damage_named,
    read_rollout,
    read_sealed,
    write_rollout,
    write_sealed,
)
from rltransfer.errors import ArtifactRefused
from rltransfer.io import make_folder, storage_faults

Resumed: TypeAlias = Literal["no", "exact", "approximate"]


@final
@dataclass(frozen=True, eq=False)
class Entry:
    """One finished stretch of acting."""

    rollout: Rollout
    steps: int
    memory: Any
    """What the policy remembered after it, as JSON; None for one that does not."""


@final
class Journal:
    """The stretches of acting of one run, in their order.

    Args:
        folder: of the journal alone; made where it is missing.
        request: what the run was asked for, as JSON; a journal serves only its own run.
        boundary: called after each stretch that was written down; may raise to stop.

    Raises:
        ArtifactRefused: the journal is damaged, or of another run.
    """

    def __init__(
        self,
        folder: Path,
        request: Mapping[str, Any],
        boundary: Callable[[], None] | None = None,
    ) -> None:
        self._folder, self._boundary = make_folder(folder), boundary
        self._request: dict[str, Any] = as_json(request)
        self._place, self._acting = 0, False
        self._doubts: list[str] = []
        self._broken_off: dict[str, int] = {}
        self._resumed = (folder / REQUEST).exists()
        self._versions = surroundings()
        if self._resumed:
            self._go_on()
        else:
            self._write_request()
        self._known = self._count()

    @property
    def resumed(self) -> Resumed:
        """Whether the run was interrupted, and whether that can have changed it."""
        if not self._resumed:
            return "no"
        return "approximate" if self._doubts else "exact"

    @property
    def doubts(self) -> tuple[str, ...]:
        """Why the run may differ from one that was never interrupted."""
        return tuple(self._doubts)

    @property
    def broken_off(self) -> dict[str, int]:
        """Steps by domain that were taken again, as far as they are known."""
        return dict(self._broken_off)

    @property
    def acting(self) -> bool:
        """Whether a stretch is under way that would be lost by stopping now."""
        return self._acting

    def next(self, asked: Mapping[str, Any]) -> Entry | None:
        """Returns the next stretch, or None where it has yet to be acted.

        Args:
            asked: all that it follows from, as JSON.
        """
        place = self._place
        self._place += 1
        if place >= self._known:
            return None
        page = self._page(place)
        written = read_sealed(page)
        with damage_named(page):
            require_same(page, written["asked"], as_json(asked))
            rollout = read_rollout(page, written["rollout"])
            return Entry(rollout, int(written["steps"]), written["memory"])

    @contextmanager
    def stretch(self) -> Iterator[None]:
        """Holds while one stretch is acted and written down."""
        self._acting = True
        try:
            yield
        finally:
            self._acting = False
        if self._boundary is not None:
            self._boundary()

    def add(self, asked: Mapping[str, Any], entry: Entry) -> None:
        """Writes down the stretch that `next` did not know."""
        path = self._page(self._place - 1)
        written = {
            "asked": as_json(asked),
            "rollout": write_rollout(path, entry.rollout),
            "steps": entry.steps,
            "memory": entry.memory,
        }
        # The numbers first: where this page is, all is.
        write_sealed(path, written)
        self._known = self._place

    def doubt(self, reason: str) -> None:
        """Notes why the run may differ from one that was never interrupted."""
        if reason not in self._doubts:
            self._doubts.append(reason)
            self._write_request()

    def break_off(self, domain: str, steps: int) -> None:
        """Notes steps that will have to be taken again."""
        if steps:
            self._broken_off[domain] = self._broken_off.get(domain, 0) + steps
            self._write_request()

    def _go_on(self) -> None:
        path = self._folder / REQUEST
        written = read_request(self._folder)
        require_same(path, written["request"], self._request)
        self._doubts = written["doubts"]
        self._broken_off = written["broken_off"]
        before, now = written["versions"], self._versions
        self._versions = before
        for name in sorted({*before, *now}):
            if before.get(name) != now.get(name):
                self.doubt(
                    f"{name} was {before.get(name, 'absent')} and is "
                    f"{now.get(name, 'absent')}"
                )

    def _write_request(self) -> None:
        written = {
            "format": FORMAT,
            "request": self._request,
            "versions": self._versions,
            "doubts": self._doubts,
            "broken_off": self._broken_off,
        }
        write_sealed(self._folder / REQUEST, written)

    def _count(self) -> int:
        with storage_faults(self._folder):
            pages = {p for p in self._folder.glob("*.json") if p.name != REQUEST}
        for place in range(len(pages)):
            if self._page(place) not in pages:
                raise ArtifactRefused(
                    f"a journal has every page, {self._page(place)} is missing; "
                    "restore it or start a new run"
                )
        return len(pages)

    def _page(self, place: int) -> Path:
        return self._folder / f"{place:04d}.json"
