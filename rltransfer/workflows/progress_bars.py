"""How long work takes: bars on standard error, and scalars for TensorBoard."""

import sys
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import final

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)

from rltransfer.alignment import Trial
from rltransfer.io import make_folder, storage_faults
from rltransfer.io.event_files import EventFile, event_path, own_events
from rltransfer.mapping import Progress as FitProgress
from rltransfer_agents.learning_on import CurvePoint
from rltransfer_agents.loading.agent_files import mark_of
from rltransfer_agents.training import Progress as TrainingProgress
from rltransfer_agents.training import Watch


def progress_bars(shown: bool) -> Progress:
    """Returns progress bars, which are hidden unless `shown`."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
        console=Console(file=sys.stderr),
        disable=not shown,
        # Standard streams are redirected where it matters; once is enough.
        redirect_stdout=False,
        redirect_stderr=False,
    )


@final
class AlignmentProgress:
    """Shows and records the alignment of one transfer, and learning on.

    Args:
        bars: under way; where it is shown.
        events: where scalars go.
        budget: target steps of both.
    """

    def __init__(self, bars: Progress, events: EventFile, budget: int) -> None:
        self._bars, self._events = bars, events
        self._task = bars.add_task("", total=budget, note="")
        self._used = self._updates = 0

    def source(self, name: str) -> None:
        """What follows is about the source of that name."""
        self._say(name)

    def phase(self, name: str, used: int) -> None:
        """Shows the phase and the target steps used."""
        self._move(used, f"target steps · {name}", "")

    def fitted(self, family: str, progress: FitProgress) -> None:
        """Shows and records how well the best candidate fits."""
        self._updates += 1
        best = progress.losses.argmin()
        loss = float(progress.losses[best])
        # TensorBoard replaces blanks in tags.
        name = f"transfer/loss/{family.replace(' ', '_')}"
        terms = {f"{name}/{k}": float(term[best]) for k, term in progress.terms.items()}
        self._events.add({name: loss, **terms}, self._updates)
        done = f"{family} {progress.update}/{progress.updates}"
        self._move(self._used, None, f"{done}, loss {loss:.3f}")

    def tried(self, trial: Trial, used: int) -> None:
        """Shows and records the return of a candidate."""
        measured = {
            "transfer/selection_return": trial.score,
            "transfer/alignment_error": trial.candidate.alignment_error,
        }
        self._events.add(measured, used)
        note = f"{trial.candidate.family.name}: return {trial.score:.1f}"
        self._move(used, None, note)
        self._say(f"round {trial.round + 1}, {note}")

    def learned(self, scalars: Mapping[str, float], used: int) -> None:
        """Shows and records how the last episode went."""
        self._events.add(scalars, used)
        mean = scalars.get("rollout/ep_rew_mean")
        self._move(used, None, "" if mean is None else f"mean return {mean:.1f}")

    def evaluated(self, point: CurvePoint) -> None:
        """Shows and records a point of the learning curve."""
        at = point.target_steps
        self._events.add({"eval/mean_reward": point.mean_return}, at)
        self._say(f"{at:,} steps, {point.arm}: return {point.mean_return:.1f}")

    def _move(self, used: int, description: str | None, note: str) -> None:
        self._used = used
        self._bars.update(
            self._task, completed=used, description=description, note=note
        )

    def _say(self, note: str) -> None:
        if not self._bars.disable:
            self._bars.console.print(note, highlight=False)


@contextmanager
def alignment_progress(
    budget: int, shown: bool, tensorboard_folder: Path, run: Path
) -> Iterator[AlignmentProgress]:
    """Shows and records the alignment of one transfer, and learning on.

    Args:
        budget: target steps of both.
        shown: whether to show a bar.
        tensorboard_folder: where scalars go.
        run: folder of the run; a run that goes on writes its scalars anew.
    """
    mark = mark_of(run)
    make_folder(tensorboard_folder)
    with storage_faults(tensorboard_folder):
        for events in own_events(tensorboard_folder, run, mark):
            events.unlink()
    with (
        closing(EventFile(event_path(tensorboard_folder, mark))) as file,
        progress_bars(shown) as bars,
    ):
        yield AlignmentProgress(bars, file, budget)


@contextmanager
def training_bars(shown: bool, several: bool = False) -> Iterator[Watch]:
    """Yields what moves a bar for each training that is under way.

    Args:
        shown: whether to show bars.
        several: whether there is more than one seed, which the names then have.
    """
    tasks: dict[tuple[str, str, int], TaskID] = {}

    def watch(progress: TrainingProgress) -> None:
        key = (progress.env_id, progress.algorithm, progress.seed)
        name = f"{progress.algorithm} {progress.env_id}"
        if several:
            name += f" seed {progress.seed}"
        total = progress.total_steps
        if key not in tasks:
            if total != progress.asked_steps:
                # Also where no progress is shown: the training costs more.
                bars.console.print(
                    f"{name}: takes {total:,} steps, {progress.asked_steps:,} asked, "
                    "since it learns from whole rollouts",
                    highlight=False,
                    markup=False,
                    soft_wrap=True,
                )
            tasks[key] = bars.add_task(name, total=total, note="")
        mean = progress.mean_return
        note = "" if mean is None else f"mean return {mean:.1f}"
        bars.update(tasks[key], completed=min(progress.steps, total), note=note)

    with progress_bars(shown) as bars:
        yield watch
