"""Trainings, as the command line runs and shows them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, final

from rich.console import Group, RenderableType
from rich.progress import TaskID

from rltransfer.cli.session import Session
from rltransfer.report.tables import facts, plain_table
from rltransfer.workflows.alignment_progress import bars
from rltransfer_agents.training import (
    Progress,
    TrainConfig,
    TrainedRun,
    resume_sources,
    train_sources,
)


@final
@dataclass(frozen=True)
class TrainedSources:
    """Finished trainings."""

    runs: tuple[TrainedRun, ...]

    def as_json(self) -> dict[str, Any]:
        """Returns the object that `--json` prints."""
        return {"runs": [run.record() for run in self.runs]}

    def as_table(self) -> RenderableType:
        """Returns one row per run, and how those went on that were interrupted."""
        table = plain_table("env", "algo", "steps", "mean return", "seconds")
        for run in self.runs:
            table.add_row(
                run.env_id,
                run.algorithm,
                f"{run.steps:,}",
                f"{run.mean_return:.1f}",
                f"{run.seconds:.1f}",
            )
        told = []
        for run in self.runs:
            told.append(("run", str(run.folder)))
            if run.resumed != "no":
                told.append(
                    ("resume", "; ".join((run.resumed, *run.reproducibility_warnings)))
                )
        return Group(table, facts(told))


def train_each(
    session: Session, configs: Sequence[TrainConfig], progress: bool
) -> TrainedSources:
    """Trains what `configs` ask for, side by side, and keeps the session informed."""
    with TrainingBars(shown=progress) as shown:
        return _kept(session, train_sources(configs, shown.watch))


def resume_each(
    session: Session, folders: Sequence[Path], progress: bool, typed: Sequence[str]
) -> TrainedSources:
    """Goes on with the trainings in `folders`; finished ones are shown as they are."""
    with TrainingBars(shown=progress) as shown:
        return _kept(session, resume_sources(folders, shown.watch, typed))


def _kept(session: Session, runs: Sequence[TrainedRun]) -> TrainedSources:
    for run in runs:
        session.keep(run.folder)
    return TrainedSources(tuple(runs))


@final
class TrainingBars:
    """A bar for each training that is under way."""

    def __init__(self, shown: bool) -> None:
        self._bars = bars(shown)
        self._tasks: dict[tuple[str, str], TaskID] = {}

    def __enter__(self) -> "TrainingBars":
        """Starts showing."""
        self._bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        fault: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stops showing."""
        self._bars.stop()

    def watch(self, progress: Progress) -> None:
        """Moves the bar of one training."""
        key = (progress.env_id, progress.algorithm)
        if key not in self._tasks:
            self._tasks[key] = self._bars.add_task(
                f"{progress.algorithm} {progress.env_id}",
                total=progress.total_steps,
                told="",
            )
        mean = progress.mean_return
        self._bars.update(
            self._tasks[key],
            completed=min(progress.steps, progress.total_steps),
            told="" if mean is None else f"mean return {mean:.1f}",
        )
