"""Finished jobs as one small CSV file, which another run can go on from.

A row is a job that learned: what decides it, how long it took, and its curve. Numbers
are rounded to what figures need; steps, returns and arms of a curve stand in one cell
each.
"""

import csv
import io
from collections.abc import Iterable, Iterator
from itertools import chain, groupby, repeat
from pathlib import Path
from typing import Any

from rltransfer.errors import ArtifactRefused
from rltransfer.io import storage_faults, write_atomically
from rltransfer.workflows.benchmark_jobs import Job, JobKey

_KEY = ("pair", "strategy", "seed", "alignment", "budget", "quick", "version")
_FIGURES = ("zero_shot", "improved")
"""Mean returns; empty where there is none."""
_COLUMNS = (*_KEY, "seconds", *_FIGURES, "steps", "returns", "arms")
_LARGEST = 10**7
"""Bytes; the file of a large benchmark has a fiftieth of it."""


def write_csv(path: Path, jobs: Iterable[tuple[Job, dict[str, Any]]]) -> None:
    """Writes the jobs that learned, with their records."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(_COLUMNS)
    for job, record in jobs:
        if job.way.learner is None:
            continue
        curve = record["curve"]
        rows.writerow(
            [
                *job.key,
                f"{record['seconds']:.1f}",
                *(_mean(record.get(name)) for name in _FIGURES),
                " ".join(str(point["target_steps"]) for point in curve),
                " ".join(f"{point['mean_return']:.5g}" for point in curve),
                " ".join(_runs(point["arm"] for point in curve)),
            ]
        )
    write_atomically(path, text.getvalue().encode())


def read_csv(path: Path) -> dict[JobKey, dict[str, Any]]:
    """Returns the records in a file that `write_csv` wrote, by their jobs' keys.

    Raises:
        ArtifactRefused: the file is damaged, or of something else.
    """
    with storage_faults(path), path.open("rb") as file:
        data = file.read(_LARGEST + 1)
    try:
        text = data.decode()
        rows = csv.reader(io.StringIO(text))
        if len(data) > _LARGEST or tuple(next(rows, ())) != _COLUMNS:
            raise ValueError("its first line is another one")
        return dict(map(_read, rows))
    except (ValueError, csv.Error) as fault:
        raise ArtifactRefused(
            f"{path} holds no finished jobs of a benchmark ({fault}); name a file that "
            "a benchmark wrote"
        ) from fault


def _read(cells: list[str]) -> tuple[JobKey, dict[str, Any]]:
    row = dict(zip(_COLUMNS, cells, strict=True))
    if row["quick"] not in ("True", "False"):
        raise ValueError(f"quick is True or False, got {row['quick']!r}")
    key = (
        *(row["pair"], row["strategy"], int(row["seed"])),
        *(int(row["alignment"]), int(row["budget"])),
        *(row["quick"] == "True", row["version"]),
    )
    runs = (run.rpartition("*") for run in row["arms"].split())
    arms = chain.from_iterable(repeat(arm, int(count)) for arm, _, count in runs)
    points = zip(row["steps"].split(), row["returns"].split(), arms, strict=True)
    figures = {
        name: {"mean_return": float(row[name])} for name in _FIGURES if row[name]
    }
    curve = [
        {"target_steps": int(at), "mean_return": float(earned), "arm": arm}
        for at, earned, arm in points
    ]
    return key, {"seconds": float(row["seconds"]), "curve": curve, **figures}


def _runs(arms: Iterable[str]) -> Iterator[str]:
    """Yields each arm with how many points running were its own."""
    for arm, points in groupby(arms):
        yield f"{arm}*{len(list(points))}"


def _mean(figure: dict[str, Any] | None) -> str:
    return "" if figure is None else f"{figure['mean_return']:.5g}"
