"""Results of a benchmark for other tools: rows for pandas and the like, and events.

A row is one measured mean return, so that a table of scores by seed and pair, as
rliable takes them, is one pivot away.
"""

import csv
import io
import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import final

from rltransfer.errors import InputError
from rltransfer.io import (
    folder_name,
    make_folder,
    sha256_of,
    storage_faults,
    write_atomically,
)
from rltransfer.io.event_files import EventFile, event_path, own_events
from rltransfer.report.learning_tables import curve_of
from rltransfer.workflows.benchmark_jobs import Job
from rltransfer.workflows.benchmark_runs import Record

_LONGEST_LINE = 4096
_RETURN, _SCORE = "eval/mean_reward", "transfer/score"
"""In TensorBoard; the first is Stable-Baselines3's name."""


@final
@dataclass(frozen=True)
class ResultRow:
    """What one run was worth after some target steps."""

    pair: str
    strategy: str
    seed: int
    steps: int
    """Counted target steps until then."""
    mean_return: float
    score: float | None
    """Normalised return: 0 is what random actions earn."""
    scale: str
    """What 1 is: `scratch`, learned to the end of the budget, or `home`, the source in
    its own environment; empty where neither is comparable."""
    last: bool
    """Whether it is the last one of its run: the result."""


def require_exports(paths: Sequence[Path]) -> None:
    """Raises unless every file can be written in a format that is known.

    Args:
        paths: whose endings decide.

    Raises:
        InputError: another ending, no folder for the file, or a file of something else
            in its place.
    """
    endings = " or ".join(_WRITERS)
    for path in paths:
        if path.suffix not in _WRITERS:
            raise InputError(
                f"--export takes files that end in {endings}, got {path}; rename it"
            )
        if path.is_dir() or not path.parent.is_dir():
            raise InputError(
                f"--export takes a file in a folder that is there, got {path}; make "
                "its folder first or name another file"
            )
        if not os.access(path.parent, os.W_OK | os.X_OK):
            raise InputError(
                f"--export takes a file in a folder that is writable, {path.parent} is "
                "not; change its permissions or name another"
            )
        if path.exists() and not _is_of_rows(path):
            raise InputError(
                f"--export never writes over what it did not write, {path} holds "
                "something else; name another file"
            )


def rows_of(finished: Iterable[tuple[Job, Record]]) -> list[ResultRow]:
    """Returns the rows of finished jobs, in the order of jobs and steps."""
    return [row for job, record in finished for row in _rows(job, record)]


def _rows(job: Job, record: Record) -> list[ResultRow]:
    named = job.pair.name, job.strategy, job.seed
    if job.way.learner is None:
        earned, random, home = (
            float(record[name]["mean_return"])
            for name in ("zero_shot", "random", "source_at_home")
        )
        comparable = job.pair.same_reward and home != random
        score = (earned - random) / (home - random) if comparable else None
        scale = "home" if comparable else ""
        steps = int(record["target_steps"])
        return [ResultRow(*named, steps, earned, score, scale, last=True)]
    curve, learning = curve_of(record["curve"]), job.learning
    scores = curve.normalised(learning.random, learning.final).returns
    steps = curve.steps.tolist()
    return [
        ResultRow(
            *(*named, at, float(earned), float(score), "scratch"), last=at == steps[-1]
        )
        for at, earned, score in zip(steps, curve.returns, scores, strict=True)
    ]


def export_rows(rows: Sequence[ResultRow], path: Path) -> None:
    """Writes rows as CSV or as lines of JSON, as the file's name asks for."""
    write_atomically(path, _WRITERS[path.suffix](rows).encode())


def _csv(rows: Sequence[ResultRow]) -> str:
    text = io.StringIO()
    names = [field.name for field in fields(ResultRow)]
    writer = csv.DictWriter(text, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(map(asdict, rows))
    return text.getvalue()


def _json_lines(rows: Sequence[ResultRow]) -> str:
    return "".join(f"{json.dumps(asdict(row), allow_nan=False)}\n" for row in rows)


_WRITERS = {".csv": _csv, ".jsonl": _json_lines}


def _is_of_rows(path: Path) -> bool:
    """Tells whether a file begins as one that was exported; an empty one does."""
    with storage_faults(path), path.open("rb") as file:
        first = file.readline(_LONGEST_LINE).decode(errors="replace").strip()
    names = [field.name for field in fields(ResultRow)]
    if path.suffix == ".csv":
        return first in ("", ",".join(names))
    try:
        return not first or list(json.loads(first)) == names
    except (ValueError, TypeError):
        return False


def log_rows(rows: Sequence[ResultRow], folder: Path) -> None:
    """Writes rows as TensorBoard's events, in a folder for each run.

    A run's folder is `PAIR/STRATEGY/seed_N`; what was written there before goes.

    Args:
        rows: of any runs.
        folder: that TensorBoard is pointed to.
    """
    runs: dict[Path, list[ResultRow]] = {}
    for row in rows:
        place = Path(folder_name(row.pair), row.strategy, f"seed_{row.seed}")
        runs.setdefault(folder / place, []).append(row)
    for place, run in runs.items():
        mark = sha256_of(str(place.relative_to(folder)).encode())[:12]
        make_folder(place)
        with storage_faults(place):
            for earlier in own_events(place, folder, mark):
                earlier.unlink()
        events = EventFile(event_path(place, mark))
        for row in run:
            score = {} if row.score is None else {_SCORE: row.score}
            events.add({_RETURN: row.mean_return, **score}, row.steps)
        events.close()
