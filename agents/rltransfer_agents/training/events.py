"""What Stable-Baselines3 logs, handed to a file of TensorBoard's events.

Its own writer starts a new file each time; this one goes on in the old file.
"""

from pathlib import Path
from typing import Any, final

import numpy as np
from stable_baselines3.common.logger import KVWriter
from typing_extensions import override

from rltransfer.io.event_files import EVENTS as EVENTS
from rltransfer.io.event_files import EventFile, event_path


@final
class EventWriter(KVWriter):
    """Writes logged numbers into one file.

    Args:
        folder: holds no file of events, or the one to go on with.
    """

    def __init__(self, folder: Path) -> None:
        found = sorted(folder.glob(EVENTS))
        self._file = EventFile(found[-1] if found else event_path(folder, "rltransfer"))

    @override
    def write(
        self,
        key_values: dict[str, Any],
        key_excluded: dict[str, tuple[str, ...]],
        step: int = 0,
    ) -> None:
        numbers = {
            key: float(value)
            for key, value in key_values.items()
            if "tensorboard" not in key_excluded[key]
            and isinstance(value, int | float | np.number)
        }
        self._file.add(numbers, step)

    @override
    def close(self) -> None:
        self._file.close()
