"""What is written while training: TensorBoard's events and the list of episodes."""

import json
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, final

from stable_baselines3.common.logger import Logger, TensorBoardOutputFormat

from rltransfer.files import make_folder, storage_faults


def tensorboard_logger(folder: Path) -> Logger:
    """Returns a logger that writes Stable-Baselines3's keys for TensorBoard."""
    make_folder(folder)
    with storage_faults(folder):
        return Logger(str(folder), [TensorBoardOutputFormat(str(folder))])


@final
class EpisodeLog:
    """Return, length and time of each training episode, as SB3's `Monitor` writes.

    Args:
        path: ends in `monitor.csv`, where its reader looks.
        env_id: of the environment.
    """

    def __init__(self, path: Path, env_id: str) -> None:
        self._path = path
        self._start = time.time()
        with storage_faults(path):
            self._file = path.open("a")
            if self._file.tell() == 0:
                header = {"t_start": self._start, "env_id": env_id}
                self._file.write(f"#{json.dumps(header)}\nr,l,t\n")

    def add(self, infos: Iterable[dict[str, Any]]) -> None:
        """Adds the episodes that ended in one step."""
        for info in infos:
            if "episode" in info:
                episode = info["episode"]
                elapsed = time.time() - self._start
                with storage_faults(self._path):
                    self._file.write(f"{episode['r']},{episode['l']},{elapsed:.6f}\n")

    def flush(self) -> None:
        """Hands all that was added to the disk."""
        with storage_faults(self._path):
            self._file.flush()

    def close(self) -> None:
        """Closes the file."""
        with storage_faults(self._path):
            self._file.close()
