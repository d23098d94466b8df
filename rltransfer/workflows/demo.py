"""The whole way once: train, transfer, report."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

from rich.console import Group, RenderableType

from rltransfer.cli.session import Session
from rltransfer.workflows.environment_choice import EnvironmentChoice
from rltransfer.workflows.train_source import TrainedSources, train_each
from rltransfer.workflows.transfer import transfer_run
from rltransfer.workflows.transfer_record import TransferRecord
from rltransfer.workflows.transfer_request import TransferOptions
from rltransfer_agents.training import TrainConfig

_ENV = "CartPole-v1"
_TRAINING_STEPS = 30_000
_BUDGET = 2_000


@final
@dataclass(frozen=True)
class Demonstration:
    """An agent was trained, and carried to where it had never been."""

    trained: TrainedSources
    transferred: TransferRecord

    def as_json(self) -> dict[str, Any]:
        """Returns what `train-source` and what `transfer` print, by verb."""
        return {
            "train_source": self.trained.as_json(),
            "transfer": self.transferred.as_json(),
        }

    def as_table(self) -> RenderableType:
        """Returns both tables."""
        return Group(self.trained.as_table(), self.transferred.as_table())


def demonstrate(
    session: Session, log_folder: Path, scramble: int, seed: int, progress: bool
) -> Demonstration:
    """Trains on CartPole, then acts behind sensors and motors never seen.

    Args:
        session: is told what was kept.
        log_folder: where run folders are made.
        scramble: which unknown sensors and motors.
        seed: of everything else.
        progress: whether to show it.
    """
    config = TrainConfig(
        env_id=_ENV,
        algorithm="ppo",
        log_folder=log_folder,
        steps=_TRAINING_STEPS,
        seed=seed,
    )
    trained = train_each(session, [config], progress)
    options = TransferOptions(
        sources=(trained.runs[0].folder,),
        target=EnvironmentChoice(
            "rltransfer/Scrambled-v0", {"base": _ENV, "seed": scramble}
        ),
        budget=_BUDGET,
        seed=seed,
        log_folder=log_folder,
        progress=progress,
    )
    return Demonstration(trained, transfer_run(options, session))
