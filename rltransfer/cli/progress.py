"""Progress on standard error; standard output is for results."""

import sys
from types import TracebackType
from typing import TYPE_CHECKING, Self, final

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)

if TYPE_CHECKING:
    from rltransfer_agents.training import Progress as TrainingProgress


def bars(shown: bool) -> Progress:
    """Returns progress bars, which stay away where they are not `shown`."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[told]}"),
        console=Console(file=sys.stderr),
        disable=not shown,
        # Standard streams are redirected where it matters; once is enough.
        redirect_stdout=False,
        redirect_stderr=False,
    )


@final
class TrainingBars:
    """A bar for each training that is under way."""

    def __init__(self, shown: bool) -> None:
        self._bars = bars(shown)
        self._tasks: dict[tuple[str, str], TaskID] = {}

    def __enter__(self) -> Self:
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

    def watch(self, progress: "TrainingProgress") -> None:
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
