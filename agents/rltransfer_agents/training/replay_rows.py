"""The rows of a replay buffer on disk: only new ones are written, at the end.

A file holds consecutive rows and is only ever added to, so an older snapshot finds
its rows in front of newer ones. A mark says how much of each file belongs to a
snapshot, and its hash.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar, TypeAlias, final

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict, Field
from stable_baselines3.common.buffers import ReplayBuffer

from rltransfer.errors import ArtifactRefused
from rltransfer.io import make_folder, storage_faults, write_after

COLUMNS = (
    "observations",
    "next_observations",
    "actions",
    "rewards",
    "dones",
    "timeouts",
)
"""The arrays of a buffer that hold its rows."""
_BYTES_PER_FILE = 1 << 24
_Count: TypeAlias = Annotated[int, Field(ge=0, strict=True)]


@final
@dataclass(frozen=True)
class Mark:
    """How much of one file belongs to a snapshot."""

    __pydantic_config__: ClassVar[ConfigDict] = {"extra": "forbid"}

    first: _Count
    """Number of the file's first row, counted from the start of training."""
    count: _Count
    sha256: str

    @property
    def end(self) -> int:
        """Number of the row that would come next."""
        return self.first + self.count


@final
class RowStore:
    """The rows of one buffer in one folder."""

    def __init__(self, folder: Path, buffer: ReplayBuffer) -> None:
        self._folder = make_folder(folder)
        self._size = buffer.buffer_size
        arrays = [getattr(buffer, name) for name in COLUMNS]
        # Views of the buffer's arrays as bytes, one row per step.
        self._columns: list[NDArray[np.uint8]] = [
            array.reshape(len(array), -1).view(np.uint8) for array in arrays
        ]
        self._width = sum(column.shape[1] for column in self._columns)
        self._marks: list[Mark] = []
        # Of the last file, which goes on growing.
        self._hash = hashlib.sha256()

    def add(self, total: int) -> list[Mark]:
        """Stores the rows that are new, and returns the marks of all in the buffer.

        Args:
            total: rows added to the buffer since the start of training.
        """
        oldest = max(0, total - self._size)
        known = self._marks[-1].end if self._marks else 0
        if total > known:
            self._append(max(known, oldest), total)
        self._marks = [mark for mark in self._marks if mark.end > oldest]
        return list(self._marks)

    def read(self, marks: Sequence[Mark]) -> None:
        """Puts stored rows back into the buffer; refuses files that are damaged."""
        borders = np.cumsum([column.shape[1] for column in self._columns])[:-1]
        for mark in marks:
            path = self._path(mark.first)
            with storage_faults(path):
                data = path.read_bytes()[: mark.count * self._width]
            self._hash = hashlib.sha256(data)
            if self._hash.hexdigest() != mark.sha256:
                raise ArtifactRefused(f"{path} is damaged: its hash differs")
            if len(data) != mark.count * self._width:
                raise ArtifactRefused(
                    f"{path} holds {len(data)} bytes, not {mark.count} rows of "
                    f"{self._width}"
                )
            rows = np.frombuffer(data, np.uint8).reshape(mark.count, self._width)
            # A file may begin with rows that the buffer has overwritten since.
            rows = rows[-self._size :]
            places = np.arange(mark.end - len(rows), mark.end)
            places %= self._size
            parts = np.split(rows, borders, axis=1)
            for column, part in zip(self._columns, parts, strict=True):
                column[places] = part
        self._marks = list(marks)

    def remove_all_but(self, marks: Sequence[Mark]) -> None:
        """Removes the files that hold no marked row."""
        kept = {self._path(mark.first) for mark in marks}
        with storage_faults(self._folder):
            for path in self._folder.iterdir():
                if path not in kept:
                    path.unlink()

    def _append(self, start: int, total: int) -> None:
        places = np.arange(start, total) % self._size
        parts = [column[places] for column in self._columns]
        data = np.concatenate(parts, axis=1).tobytes()
        last = self._marks[-1] if self._marks else None
        if (
            last is None
            or last.end != start
            or last.count * self._width > _BYTES_PER_FILE
        ):
            last = Mark(start, 0, "")
            self._marks.append(last)
            self._hash = hashlib.sha256()
        write_after(self._path(last.first), last.count * self._width, data)
        self._hash.update(data)
        count = total - last.first
        self._marks[-1] = Mark(last.first, count, self._hash.hexdigest())

    def _path(self, first: int) -> Path:
        return self._folder / f"rows-{first:012d}.bin"
