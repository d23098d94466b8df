"""What Stable-Baselines3 logs, handed to a file of TensorBoard's events.

Its own writer starts a new file each time; this one goes on in the old file.
"""

import json
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TextIO, final

import numpy as np
from stable_baselines3.common.logger import KVWriter, Logger
from typing_extensions import override

from rltransfer.io import cut_back, make_folder, storage_faults
from rltransfer.io.event_files import EventFile, event_path, own_events
from rltransfer_agents.loading.agent_files import mark_of


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
    """The logs of one run, closed until `open` is called.

    Args:
        episodes_path: ends in `monitor.csv`, where Stable-Baselines3's reader looks.
        tensorboard: folder of this run alone, or one that others write to as well.
        run: folder of the run.
        env_id: of the environment.
    """

    def __init__(
        self, episodes_path: Path, tensorboard: Path, run: Path, env_id: str
    ) -> None:
        self._episodes_path = episodes_path
        self._tensorboard, self._run = tensorboard, run
        self._mark = mark_of(run)
        self._env_id = env_id
        self._start = time.time()
        self._episodes: TextIO | None = None
        self._logger: Logger | None = None

    def open(self, lengths: Mapping[str, int], seconds: float) -> Logger:
        """Cuts the logs back, opens them, and returns the logger for TensorBoard.

        Args:
            lengths: of each file in bytes, by its name; other files go.
            seconds: how long the run had trained by then.
        """
        self._start = time.time() - seconds
        make_folder(self._tensorboard)
        for path in self._paths():
            if path.name in lengths:
                cut_back(path, lengths[path.name])
            else:
                with storage_faults(path):
                    path.unlink()
        with storage_faults(self._episodes_path):
            self._episodes = self._episodes_path.open("a")
            if self._episodes.tell() == 0:
                header = {"t_start": self._start, "env_id": self._env_id}
                self._episodes.write(f"#{json.dumps(header)}\nr,l,t\n")
        events = self._events() or [event_path(self._tensorboard, self._mark)]
        writer = EventWriter(events[-1])
        self._logger = Logger(str(self._tensorboard), [writer])
        return self._logger

    def add_episodes(self, infos: Iterable[dict[str, Any]]) -> None:
        """Adds the training episodes that ended in one step."""
        for info in infos:
            if "episode" in info and self._episodes is not None:
                episode = info["episode"]
                elapsed = time.time() - self._start
                with storage_faults(self._episodes_path):
                    self._episodes.write(
                        f"{episode['r']},{episode['l']},{elapsed:.6f}\n"
                    )

    def lengths(self) -> dict[str, int]:
        """Returns how long the logs are, after all that was logged."""
        self.flush()
        with storage_faults(self._tensorboard):
            return {path.name: path.stat().st_size for path in self._paths()}

    def flush(self) -> None:
        """Hands the list of episodes to the system."""
        if self._episodes is not None:
            with storage_faults(self._episodes_path):
                self._episodes.flush()

    def close(self) -> None:
        """Closes the logs."""
        if self._logger is not None:
            self._logger.close()
        if self._episodes is not None:
            with storage_faults(self._episodes_path):
                # Closing writes what is buffered, which may fail.
                self._episodes.close()

    def _paths(self) -> list[Path]:
        paths = self._events()
        if self._episodes_path.exists():
            paths.append(self._episodes_path)
        return paths

    def _events(self) -> list[Path]:
        return own_events(self._tensorboard, self._run, self._mark)
