"""The whole way once: train, transfer, report."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

from rich.console import Group, RenderableType
from typing_extensions import override

from rltransfer.report import Result
from rltransfer.workflows.train_source import TrainingResult, train_source
from rltransfer.workflows.transfer import transfer
from rltransfer.workflows.transfer_result import TransferResult

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
        handle_signals: as for `transfer`.
    """
    trained = train_source(
        _ENV,
        steps=training_steps,
        seed=seed,
        log_folder=log_folder,
        device="cpu",
        progress=progress,
    )
    try:
        transferred = transfer(
            trained.folder,
            "rltransfer/Scrambled-v0",
            target_kwargs={"base": _ENV, "seed": scramble},
            steps=steps,
            seed=seed,
            weak_source=weak_source,
            hyperparams=hyperparams,
            log_folder=log_folder,
            progress=progress,
            handle_signals=handle_signals,
        )
    except KeyboardInterrupt as stop:
        stop.add_note(f"kept: {trained.folder}")
        raise
    return Demonstration(trained, transferred)
