"""TensorBoard's events, written where they are logged.

TensorBoard's own writer hands them to a thread, whose faults come late and as a
traceback. Apart from the other pages of runs, as its imports take a while.
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

from rltransfer.io import points
from rltransfer.io.atomic_files import storage_faults

EVENTS = "events.out.tfevents.*"
"""Pattern of their files, by which TensorBoard finds them."""


def event_path(folder: Path, mark: str) -> Path:
    """Returns where to begin a file of events in `folder`.

    Args:
        folder: that TensorBoard is pointed to.
        mark: tells the files of one run from those of others.
    """
    return folder / EVENTS.replace("*", f"{int(time.time())}.{mark}")


@final
class EventFile:
    """One file of numbers by name and step.

    Points: `before_event`, `event_written`.

    Args:
        path: of the file; one that exists goes on.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        with storage_faults(path):
            # Unbuffered, so that nothing is left to write when a fault has struck.
            self._file = path.open("ab", buffering=0)
        if self._file.tell() == 0:
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
        self._file.close()

    def _write(self, event: Any) -> None:
        record = io.BytesIO()
        record_writer.RecordWriter(record).write(event.SerializeToString())
        with storage_faults(self._path):
            points.reached("before_event")
            _write_all(self._file.fileno(), record.getvalue())
            points.reached("event_written")


def _write_all(handle: int, data: bytes) -> None:
    # A disk that fills up takes a part without an error, and refuses the next one.
    while data:
        data = data[os.write(handle, data) :]
