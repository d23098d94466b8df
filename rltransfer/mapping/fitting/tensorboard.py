"""Curves of a fit in TensorBoard."""

from pathlib import Path
from types import TracebackType
from typing import final

from rltransfer.mapping.fitting.report import Progress


@final
class TensorBoardCurves:
    """A watcher that writes scalars under `transfer/`; use it in a `with` statement.

    Of several candidates it shows the one with the lowest loss at the time.

    Args:
        folder: where the event file is written.
        first_update: counted on from here, so that fits in a row make one curve.
    """

    def __init__(self, folder: Path, *, first_update: int = 0) -> None:
        # Slow to import, and most fits draw no curves.
        from torch.utils.tensorboard import SummaryWriter

        self._writer = SummaryWriter(str(folder))
        self._first_update = first_update

    def __call__(self, progress: Progress) -> None:
        """Writes where the fit stands."""
        best = int(progress.losses.argmin())
        scalars = {
            "loss": float(progress.losses[best]),
            "candidates": len(progress.candidates),
            "learning_rate": progress.learning_rate,
        } | {name: float(term[best]) for name, term in progress.terms.items()}
        if progress.judged is not None:
            scalars["judged_loss"] = float(progress.judged.min())
        for name, value in scalars.items():
            self._writer.add_scalar(
                f"transfer/{name}", value, self._first_update + progress.update
            )

    def __enter__(self) -> "TensorBoardCurves":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        fault: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._writer.close()
