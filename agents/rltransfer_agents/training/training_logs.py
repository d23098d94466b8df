"""What Stable-Baselines3 logs, handed to a file of TensorBoard's events.

Its own writer starts a new file each time; this one goes on in the old file.
"""

import json
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, final

import numpy as np
from stable_baselines3.common.logger import KVWriter, Logger
from typing_extensions import override

from rltransfer.io import cut_back, make_folder, storage_faults
from rltransfer.io.event_files import EventFile, event_path
from rltransfer_agents.loading.agent_files import mark_of
from rltransfer_agents.training.run_files import RunFiles


@final
class EventWriter(KVWriter):
    """Writes logged numbers into one file.

    Args:
        path: of the file; one that exists goes on.
    """

    def __init__(self, path: Path) -> None:
        self._file = EventFile(path)

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


@final
class TrainingLogs:
    """The logs of one run, cut back to where it goes on, and open.

    Args:
        files: of the run.
        lengths: of each log in bytes, by its name; other files go.
        seconds: how long the run had trained by then.
    """

    def __init__(
        self, files: RunFiles, lengths: Mapping[str, int], seconds: float
    ) -> None:
        self._files = files
        self._start = time.time() - seconds
        make_folder(files.tensorboard)
        for path in self._paths():
            if path.name in lengths:
                cut_back(path, lengths[path.name])
            else:
                with storage_faults(path):
                    path.unlink()
        with storage_faults(files.episodes):
            self._episodes = files.episodes.open("a")
            if self._episodes.tell() == 0:
                header = {"t_start": self._start, "env_id": files.config.env_id}
                self._episodes.write(f"#{json.dumps(header)}\nr,l,t\n")
                self._episodes.flush()
        new = event_path(files.tensorboard, mark_of(files.folder))
        writer = EventWriter([new, *files.events][-1])
        self.logger = Logger(str(files.tensorboard), [writer])

    def add_episodes(self, infos: Iterable[dict[str, Any]]) -> None:
        """Adds the training episodes that ended in one step."""
        for info in infos:
            if "episode" in info:
                episode, elapsed = info["episode"], time.time() - self._start
                with storage_faults(self._files.episodes):
                    self._episodes.write(
                        f"{episode['r']},{episode['l']},{elapsed:.6f}\n"
                    )

    def lengths(self) -> dict[str, int]:
        """Returns how long the logs are, after all that was logged."""
        self.flush()
        with storage_faults(self._files.tensorboard):
            return {path.name: path.stat().st_size for path in self._paths()}

    def flush(self) -> None:
        """Hands the list of episodes to the system."""
        with storage_faults(self._files.episodes):
            self._episodes.flush()

    def close(self) -> None:
        """Closes the logs."""
        self.logger.close()
        with storage_faults(self._files.episodes):
            # Closing writes what is buffered, which may fail.
            self._episodes.close()

    def _paths(self) -> list[Path]:
        episodes = self._files.episodes
        return [*self._files.events, *([episodes] if episodes.exists() else [])]
