"""When snapshots are written, where they lie, and which one loads."""

import os
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, final

from pydantic import TypeAdapter, ValidationError
from stable_baselines3.common.buffers import ReplayBuffer

from rltransfer.errors import ArtifactRefused, StorageError
from rltransfer.io import make_folder, storage_faults, write_atomically
from rltransfer.io.nested_values import pack_nested, unpack_nested
from rltransfer_agents.training.replay_rows import Mark, RowStore

_MARKS = TypeAdapter(list[Mark])

# Of the time of a training, snapshots take at most this share.
_SHARE = 0.02


@final
class SnapshotFiles:
    """The last two snapshots of one run.

    Args:
        folder: theirs alone.
        buffer: whose rows belong to them, if the algorithm has one.
        seconds: least time between two of them; 0 for one at every boundary.
    """

    def __init__(
        self, folder: Path, buffer: ReplayBuffer | None, seconds: float
    ) -> None:
        self._latest = make_folder(folder) / "state"
        self._previous = folder / "state.previous"
        self._rows = None if buffer is None else RowStore(folder / "rows", buffer)
        self._seconds = seconds
        self._next = time.monotonic() + seconds
        self._marks: list[Mark] = []
        self._latest_is_whole = False

    @property
    def due(self) -> bool:
        """Whether it is time for the next snapshot."""
        return time.monotonic() >= self._next

    def write(self, take: Callable[[], dict[str, Any]], rows_added: int) -> None:
        """Stores a snapshot; until that is done, the one before can be loaded.

        Args:
            take: takes the state, as plain data.
            rows_added: to the buffer, since the start of training.
        """
        start = time.monotonic()
        state = take()
        marks = [] if self._rows is None else self._rows.add(rows_added)
        data = pack_nested({**state, "marks": [asdict(mark) for mark in marks]})
        self._keep_previous()
        write_atomically(self._latest, data)
        self._latest_is_whole = True
        if self._rows is not None:
            self._rows.remove_all_but([*self._marks, *marks])
        self._marks = marks
        now = time.monotonic()
        rest = (now - start) / _SHARE if self._seconds else 0.0
        self._next = now + max(self._seconds, rest)

    def read(self) -> dict[str, Any] | None:
        """Returns the last snapshot that is whole, its rows put into the buffer.

        Raises:
            ArtifactRefused: if there are snapshots, but none that is whole.
        """
        faults = []
        for path in (self._latest, self._previous):
            if not path.exists():
                continue
            try:
                state = self._read(path)
            except (ArtifactRefused, StorageError) as fault:
                faults.append(f"{path}: {fault}")
            else:
                self._latest_is_whole = path == self._latest
                return state
        if faults:
            raise ArtifactRefused(
                f"no snapshot is whole ({'; '.join(faults)}); start a new run"
            )
        return None

    def _read(self, path: Path) -> dict[str, Any]:
        with storage_faults(path):
            data = path.read_bytes()
        state = unpack_nested(data)
        if not isinstance(state, dict):
            raise ArtifactRefused("not a snapshot of a training")
        try:
            marks = _MARKS.validate_python(state.pop("marks", None))
        except ValidationError as fault:
            raise ArtifactRefused("it does not say which rows belong to it") from fault
        if self._rows is not None:
            self._rows.read(marks)
        self._marks = marks
        return state

    def _keep_previous(self) -> None:
        # A damaged one gives way to the next, never to the whole one before it.
        if not self._latest_is_whole:
            return
        # A second name for the same file, so that the first one never goes missing.
        link = self._previous.with_name(f".{self._previous.name}.tmp")
        with storage_faults(self._previous):
            link.unlink(missing_ok=True)
            os.link(self._latest, link)
            os.replace(link, self._previous)
