"""A bar that shows how a fit goes."""

from types import TracebackType
from typing import final

from tqdm import tqdm

from rltransfer.mapping.fitting.report import Progress


@final
class ProgressBar:
    """A watcher that draws to standard error; use it in a `with` statement."""

    def __init__(self, title: str) -> None:
        self._bar = tqdm(desc=title, unit="update", leave=False)

    def __call__(self, progress: Progress) -> None:
        """Moves the bar to where the fit stands."""
        self._bar.total = progress.updates
        self._bar.set_postfix(
            loss=f"{float(progress.losses.min()):.3g}",
            candidates=len(progress.candidates),
            refresh=False,
        )
        self._bar.n = progress.update
        self._bar.refresh()

    def __enter__(self) -> "ProgressBar":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        fault: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.close()
