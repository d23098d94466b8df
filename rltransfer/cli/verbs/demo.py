"""`rltransfer demo`: the whole way once, in a minute or two."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, final

import typer
from rich.console import Group, RenderableType

from rltransfer.cli.environments import EnvironmentChoice
from rltransfer.cli.options import (
    Json,
    LogFolder,
    Progress,
    Seed,
    require_seed,
    require_writable,
)
from rltransfer.cli.transferring.options import TransferOptions
from rltransfer.cli.transferring.record import TransferRecord
from rltransfer.cli.verbs.train_source import TrainedSources, train_each

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


def demo(
    context: typer.Context,
    scramble: Annotated[
        int, typer.Option("--scramble", help="Which unknown sensors and motors.")
    ] = 100,
    seed: Seed = 0,
    log_folder: LogFolder = Path("runs/demo"),
    progress: Progress = True,
    json: Json = False,
) -> Demonstration:
    """Train on CartPole, then act behind sensors and motors never seen."""
    del json  # what prints the outcome knows
    require_seed(seed)
    require_writable(log_folder)
    from rltransfer.cli.transferring.carry import transfer_run
    from rltransfer_agents.training import TrainConfig

    config = TrainConfig(
        env_id=_ENV,
        algorithm="ppo",
        log_folder=log_folder,
        steps=_TRAINING_STEPS,
        seed=seed,
    )
    trained = TrainedSources(train_each(context.obj, [config], progress))
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
    return Demonstration(trained, transfer_run(options, context.obj))
