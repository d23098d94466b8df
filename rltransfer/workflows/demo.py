"""The whole way once: train, transfer, report."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

from rich.console import Group, RenderableType
from typing_extensions import override

from rltransfer.report.tables import Result
from rltransfer.workflows.environments import EnvironmentChoice
from rltransfer.workflows.train_source import TrainingResult, train_source
from rltransfer.workflows.transfer_request import TransferRequest
from rltransfer.workflows.transfer_result import TransferResult
from rltransfer.workflows.transfer_run import run_transfer

_ENV = "CartPole-v1"
TRAINING_STEPS = 30_000
TARGET_STEPS = 2_000


@final
@dataclass(frozen=True)
class Demonstration(Result):
    """An agent was trained, and transferred to where it had never been."""

    trained: TrainingResult
    transferred: TransferResult

    @override
    def as_json(self) -> dict[str, Any]:
        """Returns what `train-source` and what `transfer` print, by verb."""
        return {
            "train_source": self.trained.as_json(),
            "transfer": self.transferred.as_json(),
        }

    @override
    def __rich__(self) -> RenderableType:
        """Returns both tables."""
        return Group(self.trained, self.transferred)


def demo(
    log_folder: str | Path = "runs/demo",
    *,
    scramble: int = 100,
    seed: int = 0,
    training_steps: int = TRAINING_STEPS,
    steps: int = TARGET_STEPS,
    hyperparams: Mapping[str, Any] | None = None,
    weak_source: bool = False,
    progress: bool = False,
    handle_signals: bool = False,
) -> Demonstration:
    """Trains on CartPole, then acts behind sensors and motors never seen.

    Args:
        log_folder: where run folders are made.
        scramble: seed of the sensors and motors.
        seed: of everything else.
        training_steps: of the source agent.
        steps: target steps of the transfer.
        hyperparams: of the transfer.
        weak_source: as for `transfer`.
        progress: whether to show it on standard error.
        handle_signals: as for `run_transfer`.
    """
    trained = train_source(
        _ENV,
        steps=training_steps,
        seed=seed,
        log_folder=log_folder,
        device="cpu",
        progress=progress,
    )
    kwargs = {"base": _ENV, "seed": scramble}
    request = TransferRequest(
        sources=(trained.folder,),
        target=EnvironmentChoice("rltransfer/Scrambled-v0", kwargs),
        budget=steps,
        seed=seed,
        log_folder=Path(log_folder),
        hyperparams=hyperparams or {},
        weak_source=weak_source,
        progress=progress,
    )
    try:
        transferred = run_transfer(request, handle_signals=handle_signals)
    except KeyboardInterrupt as stop:
        stop.add_note(f"kept: {trained.folder}")
        raise
    return Demonstration(trained, transferred)
