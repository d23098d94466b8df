"""What came of a benchmark, as Python, `--json`, tables and a picture say it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, final

from rich.console import Group, RenderableType
from typing_extensions import override

from rltransfer.io import (
    installed_versions,
    sha256_of,
    storage_faults,
    write_atomically,
)
from rltransfer.report import Result
from rltransfer.report.benchmark_page import BenchmarkPage
from rltransfer.report.benchmark_picture import draw_benchmark
from rltransfer.report.html_page import REPORT, drawn_fault
from rltransfer.report.learning_tables import LearningFigures, aggregated, figures_of
from rltransfer.report.tables import Rows, RowsTable, facts, markdown
from rltransfer.report.zero_shot_table import zero_shot_row
from rltransfer.workflows.benchmark_jobs import Job
from rltransfer.workflows.benchmark_runs import Record
from rltransfer.workflows.finished_jobs import FinishedJobs
from rltransfer.workflows.job_csv import write_csv
from rltransfer_envs.pairs import Pair

_ZERO_SHOT, _LEARNING, _ALL = "Zero-shot", "Learning on", "All pairs"
_ON_SCREEN = {
    _ZERO_SHOT: (
        *("pair", "used", "reached", "median", "random", "home", "share of home"),
        *("harm", "accepted", "seconds"),
    ),
    _LEARNING: (
        *("pair", "strategy", "jumpstart", "asymptote", "area", "threshold"),
        *("of scratch's", "harm", "seconds"),
    ),
    _ALL: (),
}
"""The other columns are in the file of the tables."""
_PEER = "{} is a peer: registered by a script, which takes the options of benchmark"


def _headings(title: str, rows: Rows) -> list[str]:
    shown = list(_ON_SCREEN[title])
    if shown and title == _ZERO_SHOT and "strategy" in rows[0]:
        # As many as before: more would not fit.
        shown.remove("home")
        shown.insert(1, "strategy")
    return shown


def _keys(rows: Rows) -> int:
    return len({"pair", "strategy"} & rows[0].keys())


@final
@dataclass(frozen=True, eq=False)
class BenchmarkResult(Result):
    """What all jobs came to, as far as they were finished."""

    records: Mapping[tuple[str, str], Sequence[Record]]
    """By pair and strategy, one for each seed that was finished."""
    failed: Mapping[str, str]
    """Why, by the name of the job."""
    zero_shot: Rows
    """One row for each pair."""
    learning: Sequence[LearningFigures]
    """One for each pair and strategy that learns."""
    aggregates: Rows
    """One row for each strategy, over pairs and seeds."""
    seeds: Sequence[int]
    log: Path
    """Every job, a line each."""
    pictures: Sequence[Path]
    markdown: Path
    """The tables."""
    csv: Path
    """Jobs that learned, for another run to go on from."""
    report: Path | None = None
    """The page, where it was asked for and could be drawn."""
    notes: Sequence[str] = ()
    exported: Sequence[Path] = ()
    """Files for other tools, as they were asked for."""

    @override
    def as_json(self) -> dict[str, Any]:
        """Returns the object that `--json` prints."""
        return {
            "seeds": list(self.seeds),
            "zero_shot": list(self.zero_shot),
            "learning": [one.row() for one in self.learning],
            "aggregates": list(self.aggregates),
            "failed": dict(self.failed),
            "notes": list(self.notes),
            "log": str(self.log),
            "report": None if self.report is None else str(self.report),
            "markdown": str(self.markdown),
            "csv": str(self.csv),
            "exported": [str(path) for path in self.exported],
            "pictures": [str(path) for path in self.pictures],
        }

    @property
    def tables(self) -> dict[str, Rows]:
        """The tables that have rows, by title."""
        shown = {
            _ZERO_SHOT: self.zero_shot,
            _LEARNING: [one.row() for one in self.learning],
            _ALL: self.aggregates,
        }
        return {title: rows for title, rows in shown.items() if rows}

    @override
    def __rich__(self) -> RenderableType:
        """Returns the tables, what failed, and where everything is."""
        tables = [
            RowsTable(rows, title, _headings(title, rows), _keys(rows))
            for title, rows in self.tables.items()
        ]
        entries = [
            *(("note", note) for note in self.notes),
            ("seeds", ", ".join(map(str, self.seeds))),
            *(("failed", f"{name}: {why}") for name, why in self.failed.items()),
            ("jobs", self.log),
            ("tables", self.markdown),
            ("report", self.report),
            ("CSV", self.csv),
            *(("exported", path) for path in self.exported),
            *(("picture", path) for path in self.pictures),
        ]
        return Group(*tables, facts(entries))


def result_of(
    asked: Sequence[Job],
    finished: FinishedJobs,
    failed: Mapping[str, str],
    folder: Path,
    command: str | None = None,
) -> BenchmarkResult:
    """Returns what the finished jobs came to; writes tables, picture and page.

    Args:
        asked: all jobs.
        finished: holds the records of those that are finished.
        failed: why, by the name of the job.
        folder: where tables, picture and page go.
        command: that asks for the same, for the page; None for no page.
    """
    done = [job for job in asked if job in finished]
    records: dict[tuple[str, str], dict[int, Record]] = {}
    for job in done:
        by_seed = records.setdefault((job.pair.name, job.strategy), {})
        by_seed[job.seed] = finished[job]
    pairs = {job.pair.name: job.pair for job in asked}
    ways = {job.strategy: job.way for job in asked}
    peers = [name for name, way in ways.items() if way.run is not None]
    budgets = {(job.pair.name, job.strategy): job.budget for job in asked}
    zero_shot = [
        zero_shot_row(pairs[pair], list(runs.values()), strategy if peers else None)
        for (pair, strategy), runs in records.items()
        if ways[strategy].learner is None
    ]
    learning = [
        figures_of(
            pair,
            strategy,
            pairs[pair].learning,
            budgets[pair, strategy],
            runs,
            records.get((pair, "scratch")),
        )
        for (pair, strategy), runs in records.items()
        if ways[strategy].learner is not None
    ]
    pictures = []
    if learning:
        pictures.append(folder / "benchmark.png")
        draw_benchmark(pictures[0], learning)
    result = BenchmarkResult(
        {key: list(runs.values()) for key, runs in records.items()},
        failed,
        zero_shot,
        learning,
        aggregated(learning),
        sorted({job.seed for job in asked}),
        finished.path,
        pictures,
        folder / "benchmark.md",
        folder / "benchmark.csv",
        notes=[*_who_learns(pairs.values()), *map(_PEER.format, peers)],
    )
    text = "\n\n".join(
        f"{title}\n\n{markdown(rows)}" for title, rows in result.tables.items()
    )
    write_csv(result.csv, {job.key: (job, finished[job]) for job in done}.values())
    write_atomically(result.markdown, f"{text}\n".encode())
    with storage_faults(folder / REPORT):
        # One of an earlier run would be taken for this one's.
        (folder / REPORT).unlink(missing_ok=True)
    return result if command is None else _with_report(result, pairs, command)


def _who_learns(pairs: Iterable[Pair]) -> list[str]:
    """Returns by target what learns from scratch, and for how long all learn."""
    told: dict[str, list[str]] = {}
    for pair in pairs:
        known = pair.learning
        if known is not None:
            what = (
                f"tuned scratch is {known.tuned_scratch}, {known.steps:,} steps to "
                f"{known.threshold:g}; all learn for {known.budget:,}"
            )
            told.setdefault(what, []).append(pair.name)
    return [f"{', '.join(names)}: {what}" for what, names in told.items()]


def _with_report(
    result: BenchmarkResult, pairs: Mapping[str, Pair], command: str
) -> BenchmarkResult:
    comparable = {
        pair: runs
        for (pair, strategy), runs in result.records.items()
        if strategy == "zero-shot" and pairs[pair].same_reward
    }
    versions = installed_versions().items()
    log = result.log
    path = log.parent / REPORT
    page = BenchmarkPage(
        pairs=list(pairs),
        zero_shot=result.zero_shot,
        zero_shot_runs=comparable,
        learning=result.learning,
        tables=result.tables,
        seeds=result.seeds,
        failed=result.failed,
        notes=result.notes,
        command=command,
        facts={
            "seeds": ", ".join(map(str, result.seeds)),
            # Where every job failed there is none.
            "SHA-256 of the jobs": sha256_of(log) if log.is_file() else "",
            "versions": ", ".join(f"{name} {version}" for name, version in versions),
        },
    )
    fault = drawn_fault(path, page.html)
    if fault is not None:
        return replace(result, notes=(*result.notes, fault))
    return replace(result, report=path)
