"""TensorBoard's events, written where they are logged.

Stable-Baselines3's writer hands them to a thread, whose faults come late and as a
traceback; it also starts a new file each time. This one goes on in the old file.
"""

import time
from pathlib import Path
from typing import Any, final

import numpy as np
from stable_baselines3.common.logger import KVWriter

# TensorBoard comes without types.
from tensorboard.compat.proto import (  # type: ignore[import-untyped]
    event_pb2,
    summary_pb2,
)
from tensorboard.summary.writer import (  # type: ignore[import-untyped]
    record_writer,
)
from typing_extensions import override

from rltransfer.files import storage_faults

EVENTS = "events.out.tfevents.*"
"""Pattern of their files, by which TensorBoard finds them."""


@final
class EventWriter(KVWriter):
    """Writes logged numbers into one file.

    Args:
        folder: holds no file of events, or the one to go on with.
    """

    def __init__(self, folder: Path) -> None:
        found = sorted(folder.glob(EVENTS))
        self._path = found[-1] if found else folder / EVENTS.replace("*", _now())
        with storage_faults(self._path):
            # Unbuffered, so that nothing is left to write when a fault has struck.
            self._file = self._path.open("ab", buffering=0)
        self._records = record_writer.RecordWriter(self._file)
        if self._file.tell() == 0:
            self._write(
                event_pb2.Event(wall_time=time.time(), file_version="brain.Event:2")
            )

    @override
    def write(
        self,
        key_values: dict[str, Any],
        key_excluded: dict[str, tuple[str, ...]],
        step: int = 0,
    ) -> None:
        values = [
            summary_pb2.Summary.Value(tag=key, simple_value=float(value))
            for key, value in sorted(key_values.items())
            if "tensorboard" not in key_excluded[key]
            and isinstance(value, int | float | np.number)
        ]
        summary = summary_pb2.Summary(value=values)
        self._write(event_pb2.Event(wall_time=time.time(), step=step, summary=summary))

    @override
    def close(self) -> None:
        self._file.close()

    def _write(self, event: Any) -> None:
        with storage_faults(self._path):
            self._records.write(event.SerializeToString())


def _now() -> str:
    return f"{int(time.time())}.rltransfer"
