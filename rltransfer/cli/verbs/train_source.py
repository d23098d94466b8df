"""`rltransfer train-source`: trains agents to transfer from."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, final

import typer
from rich.console import Group, RenderableType

from rltransfer.cli.arguments import read_pairs
from rltransfer.cli.options import (
    Device,
    EnvKwargs,
    Json,
    LogFolder,
    Progress,
    Seed,
    TensorboardLog,
    require_at_least,
    require_device,
    require_seed,
    require_writable,
)
from rltransfer.cli.session import Session

if TYPE_CHECKING:
    from rltransfer_agents.training import TrainConfig, TrainedRun


@final
@dataclass(frozen=True)
class TrainedSources:
    """Finished trainings."""

    runs: "tuple[TrainedRun, ...]"

    def as_json(self) -> dict[str, Any]:
        """Returns the object that `--json` prints."""
        return {"runs": [run.record() for run in self.runs]}

    def as_table(self) -> RenderableType:
        """Returns one row per run."""
        from rltransfer.cli.tables import facts, plain_table

        table = plain_table("env", "algo", "steps", "mean return", "seconds")
        for run in self.runs:
            table.add_row(
                run.env_id,
                run.algorithm,
                f"{run.steps:,}",
                f"{run.mean_return:.1f}",
                f"{run.seconds:.1f}",
            )
        return Group(table, facts([("run", str(run.folder)) for run in self.runs]))


def train_source(
    context: typer.Context,
    env: Annotated[
        list[str],
        typer.Option("--env", metavar="ID …", help="Several are trained side by side."),
    ],
    algo: Annotated[
        str, typer.Option("--algo", help="ppo, a2c, dqn, sac or td3.")
    ] = "ppo",
    n_timesteps: Annotated[
        int | None,
        typer.Option(
            "-n",
            "--n-timesteps",
            help="Steps to learn from; default: as the hyperparameters say.",
        ),
    ] = None,
    seed: Seed = 0,
    log_folder: LogFolder = Path("runs"),
    env_kwargs: EnvKwargs | None = None,
    hyperparams: Annotated[
        list[str] | None,
        typer.Option(
            "--hyperparams",
            "-params",
            metavar="KEY=VALUE …",
            help="Replace values of the hyperparameter file.",
        ),
    ] = None,
    device: Device = "auto",
    progress: Progress = False,
    tensorboard_log: TensorboardLog = None,
    json: Json = False,
) -> TrainedSources:
    """Train an agent in each environment, with tuned hyperparameters."""
    del json  # what prints the outcome knows
    if n_timesteps is not None:
        require_at_least("--n-timesteps", n_timesteps, 1)
    require_seed(seed)
    kwargs = read_pairs(env_kwargs or (), "--env-kwargs")
    overrides = read_pairs(hyperparams or (), "--hyperparams")
    require_writable(log_folder)
    from rltransfer_agents.training import TrainConfig

    configs = [
        TrainConfig(
            env_id=env_id,
            algorithm=algo,
            log_folder=log_folder,
            steps=n_timesteps,
            seed=seed,
            env_kwargs=kwargs,
            hyperparameters=overrides,
            device=require_device(device),
            tensorboard_folder=tensorboard_log,
        )
        for env_id in env
    ]
    return TrainedSources(train_each(context.obj, configs, progress))


def train_each(
    session: Session, configs: "list[TrainConfig]", progress: bool
) -> "tuple[TrainedRun, ...]":
    """Trains what `configs` ask for and keeps the session informed."""
    from rltransfer.cli.progress import TrainingBars
    from rltransfer_agents.training import train_sources

    with TrainingBars(shown=progress) as bars:
        runs = train_sources(configs, bars.watch)
    for run in runs:
        session.keep(run.folder)
    return tuple(runs)
