"""How long work takes: bars on standard error, and scalars for TensorBoard."""

import sys
from pathlib import Path
from types import TracebackType
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
from rltransfer_agents.loading.agent_files import mark_of
from rltransfer_agents.training import Progress as TrainingProgress


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
    """Shows the alignments of one transfer, one after the other.

    Args:
        budget: target steps of all of them.
        shown: whether to show a bar.
        tensorboard_folder: where scalars go.
        run: folder of the run; a run that goes on writes its scalars anew.
    """

    def __init__(
        self, budget: int, shown: bool, tensorboard_folder: Path, run: Path
    ) -> None:
        mark = mark_of(run)
        make_folder(tensorboard_folder)
        with storage_faults(tensorboard_folder):
            for events in own_events(tensorboard_folder, run, mark):
                events.unlink()
        self._events = EventFile(event_path(tensorboard_folder, mark))
        self._bars = progress_bars(shown)
        self._shown = shown
        self._budget = budget
        self._task: TaskID | None = None
        self._before = 0
        self._used = 0
        self._updates = 0

    def __enter__(self) -> "AlignmentProgress":
        """Starts showing."""
        self._bars.start()
        self._task = self._bars.add_task("", total=self._budget, note="")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        fault: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stops showing."""
        self._bars.stop()
        self._events.close()

    def source(self, name: str) -> None:
        """The alignment with the source of that name begins."""
        self._before += self._used
        self._used = 0
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
        at = self._before + used
        self._events.add(
            {
                "transfer/selection_return": trial.score,
                "transfer/alignment_error": trial.candidate.alignment_error,
            },
            at,
        )
        note = f"{trial.candidate.family.name}: return {trial.score:.1f}"
        self._move(used, None, note)
        self._say(f"round {trial.round + 1}, {note}")

    def _move(self, used: int, description: str | None, note: str) -> None:
        self._used = used
        if self._task is not None:
            self._bars.update(
                self._task,
                completed=self._before + used,
                description=description,
                note=note,
            )

    def _say(self, note: str) -> None:
        if self._shown:
            self._bars.console.print(note, highlight=False)


@final
class TrainingBars:
    """A bar for each training that is under way."""

    def __init__(self, shown: bool) -> None:
        self._bars = progress_bars(shown)
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

    def watch(self, progress: TrainingProgress) -> None:
        """Moves the bar of one training."""
        key = (progress.env_id, progress.algorithm)
        if key not in self._tasks:
            if progress.total_steps != progress.asked_steps:
                # Also where no progress is shown: the training costs more.
                self._bars.console.print(
                    f"{progress.algorithm} {progress.env_id}: takes "
                    f"{progress.total_steps:,} steps, {progress.asked_steps:,} asked, "
                    "since it learns from whole rollouts",
                    highlight=False,
                    markup=False,
                    soft_wrap=True,
                )
            self._tasks[key] = self._bars.add_task(
                f"{progress.algorithm} {progress.env_id}",
                total=progress.total_steps,
                note="",
            )
        mean = progress.mean_return
        self._bars.update(
            self._tasks[key],
            completed=min(progress.steps, progress.total_steps),
            note="" if mean is None else f"mean return {mean:.1f}",
        )
