"""Finished jobs of a benchmark and its seeds, a line of JSON each, in one file."""

import json
from pathlib import Path
from typing import Any, cast, final

import numpy as np

from rltransfer.errors import ArtifactRefused
from rltransfer.io.atomic_files import make_folder, write_after
from rltransfer.workflows.benchmark_jobs import Job, JobKey
from rltransfer.workflows.job_csv import read_csv

FILE = "benchmark.jsonl"
DRAWN = range(200, 4_001)
"""Seeds below are for tuning."""


@final
class FinishedJobs:
    """What was finished in a log folder; a killed job is not there and runs again.

    Args:
        folder: where the file is.
        fresh: whether to run all anew; what was finished stays in the file.
        known: a CSV file of jobs that were finished elsewhere.

    Raises:
        ArtifactRefused: the file is damaged before its last line.
    """

    def __init__(
        self, folder: Path, fresh: bool = False, known: Path | None = None
    ) -> None:
        self._records: dict[JobKey, dict[str, Any]] = {}
        if known is not None:
            self._records |= read_csv(known)
        self.path = make_folder(folder) / FILE
        data = self.path.read_bytes() if self.path.exists() else b""
        # What was being written when the machine failed is no line yet.
        self._end = data.rfind(b"\n") + 1
        self._seeds: list[int] = []
        for number, line in enumerate(data[: self._end].splitlines(), 1):
            try:
                entry = json.loads(line)
                if fresh:
                    continue
                if "drawn" in entry:
                    self._seeds = [int(seed) for seed in entry["drawn"]]
                else:
                    key = tuple(entry["key"])
                    self._records[cast(JobKey, key)] = entry["record"]
            except (ValueError, KeyError, TypeError) as fault:
                raise ArtifactRefused(
                    f"line {number} of {self.path} is not of a benchmark; restore the "
                    "file, or choose another --log-folder"
                ) from fault

    def seeds(self, count: int) -> list[int]:
        """Returns seeds that are drawn once for this folder, and more where needed."""
        missing = count - len(self._seeds)
        if missing > 0:
            others = sorted({*DRAWN} - {*self._seeds})
            drawn = np.random.default_rng().choice(others, missing, replace=False)
            self._seeds = [*self._seeds, *sorted(drawn.tolist())]
            self._append({"drawn": self._seeds})
        return self._seeds[:count]

    def __contains__(self, job: Job) -> bool:
        return job.key in self._records

    def __getitem__(self, job: Job) -> dict[str, Any]:
        return self._records[job.key]

    def add(self, job: Job, record: dict[str, Any]) -> None:
        """Keeps what came of a job."""
        self._records[job.key] = record
        self._append({"key": list(job.key), "record": record})

    def seconds_of_alike(self) -> dict[tuple[Any, ...], float]:
        """Returns how long jobs took that differ in their seed only, by `without_seed`.

        All at once, since there may be a hundred thousand of them.
        """
        alike: dict[tuple[Any, ...], list[float]] = {}
        for key, record in self._records.items():
            alike.setdefault(without_seed(key), []).append(float(record["seconds"]))
        return {kind: float(np.mean(took)) for kind, took in alike.items()}

    def _append(self, entry: dict[str, Any]) -> None:
        line = json.dumps(entry, allow_nan=False).encode() + b"\n"
        write_after(self.path, self._end, line)
        self._end += len(line)


def without_seed(key: JobKey) -> tuple[Any, ...]:
    """Returns what jobs have in common that differ in their seed only."""
    return (*key[:2], *key[3:])
