"""TensorBoard's events, written where they are logged.

TensorBoard's own writer hands them to a thread, whose faults come late and as a
traceback. On a page of its own, as its imports take a while.
"""

import io
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, final

# TensorBoard comes without types.
from tensorboard.compat.proto import (  # type: ignore[import-untyped]
    event_pb2,
    summary_pb2,
)
from tensorboard.summary.writer import (  # type: ignore[import-untyped]
    record_writer,
)

from rltransfer.io.atomic_files import storage_faults, write_all

EVENTS = "events.out.tfevents.*"
"""Pattern of their files, by which TensorBoard finds them."""


def event_path(folder: Path, mark: str) -> Path:
    """Returns where to begin a file of events in `folder`.

    Args:
        folder: that TensorBoard is pointed to.
        mark: tells the files of one run from those of others.
    """
    return folder / EVENTS.replace("*", f"{int(time.time())}.{mark}")


def own_events(folder: Path, run: Path, mark: str) -> list[Path]:
    """Returns the event files of one run in a folder that others may write to as well.

    Args:
        folder: that TensorBoard is pointed to.
        run: folder of the run; all in a folder of its own belongs to it.
        mark: of the run, as for `event_path`.
    """
    names = "*" if folder.parent == run else f"*.{mark}"
    with storage_faults(folder):
        return sorted(folder.glob(EVENTS.replace("*", names)))


@final
class EventFile:
    """One file of numbers by name and step.

    Args:
        path: of the file; one that exists goes on.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        with storage_faults(path):
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
            self._handle: int | None = os.open(path, flags, 0o666)
            begun = os.fstat(self._handle).st_size > 0
        if not begun:
            self._write(
                event_pb2.Event(wall_time=time.time(), file_version="brain.Event:2")
            )

    def add(self, numbers: Mapping[str, float], step: int) -> None:
        """Writes what the numbers are at `step`, in the order of their names."""
        values = [
            summary_pb2.Summary.Value(tag=name, simple_value=float(number))
            for name, number in sorted(numbers.items())
        ]
        summary = summary_pb2.Summary(value=values)
        self._write(event_pb2.Event(wall_time=time.time(), step=step, summary=summary))

    def close(self) -> None:
        """Closes the file; nothing is left to be written."""
        handle, self._handle = self._handle, None
        if handle is not None:
            os.close(handle)

    def _write(self, event: Any) -> None:
        record = io.BytesIO()
        record_writer.RecordWriter(record).write(event.SerializeToString())
        assert self._handle is not None, "closed"
        with storage_faults(self._path):
            write_all(self._handle, record.getvalue())
