"""`rltransfer transfer`: makes agents of one environment act in another."""

from pathlib import Path
from typing import Annotated

import typer

from rltransfer.cli.arguments import read_pairs
from rltransfer.cli.options import (
    FEWEST_EPISODES,
    Device,
    Json,
    LogFolder,
    Progress,
    Seed,
    StepSeconds,
    TensorboardLog,
    VecEnvChoice,
    require_processor,
    require_stepping,
    require_writable,
)
from rltransfer.cli.session import Outcome, current_session
from rltransfer.errors import InputError
from rltransfer.workflows.environment_choice import EnvironmentChoice
from rltransfer.workflows.transfer_request import DEFAULT_BUDGET, TransferOptions
from rltransfer.wrappers import STEP_SECONDS


def transfer(
    source: Annotated[
        list[Path] | None,
        typer.Option(
            "--source",
            metavar="PATH …",
            help="Run folder, RL Zoo folder or zip. Several share the budget.",
        ),
    ] = None,
    target: Annotated[
        str | None,
        typer.Option("--target", metavar="ID", help="Environment to act in."),
    ] = None,
    target_kwargs: Annotated[
        list[str] | None,
        typer.Option(
            "--target-kwargs",
            metavar="KEY=VALUE …",
            help="What the target is made with.",
        ),
    ] = None,
    source_env: Annotated[
        list[str] | None,
        typer.Option(
            "--source-env",
            "--env",
            metavar="ID …",
            help="Environment of the source, where its files do not say or name an "
            "old one.",
        ),
    ] = None,
    sha256: Annotated[
        list[str] | None,
        typer.Option("--sha256", help="Hash that the source's file must have."),
    ] = None,
    n_timesteps: Annotated[
        int,
        typer.Option(
            "-n", "--n-timesteps", help="Target steps, all told: a hard budget."
        ),
    ] = DEFAULT_BUDGET,
    episodes: Annotated[
        int, typer.Option("--episodes", help="Fresh episodes behind each figure.")
    ] = FEWEST_EPISODES,
    seed: Seed = 0,
    log_folder: LogFolder = Path("runs"),
    device: Device = "auto",
    progress: Progress = False,
    tensorboard_log: TensorboardLog = None,
    vec_env: VecEnvChoice = "dummy",
    step_seconds: StepSeconds = STEP_SECONDS,
    resume: Annotated[
        Path | None,
        typer.Option(
            "--resume",
            metavar="RUN",
            help="Go on with an interrupted run, by its folder; the folder knows "
            "all other options.",
        ),
    ] = None,
    json: Json = False,
) -> Outcome:
    """Find the mapping to a target, prove it or refuse it, and report."""
    del json  # what prints the outcome knows
    stepping = require_stepping(vec_env, step_seconds)
    if resume is not None:
        current_session().require_alone(
            "--env", "--source-env", "--vec-env", "--step-seconds"
        )
        from rltransfer.workflows.transfer import resume_run

        return resume_run(
            resume, progress, stepping, source_env or (), current_session()
        )
    for option, value in (("--source", source), ("--target", target)):
        if not value:
            raise InputError(
                f"missing option {option!r}; see rltransfer transfer --help"
            )
    assert source is not None and target is not None
    require_processor(device)
    kwargs = read_pairs(target_kwargs or (), "--target-kwargs")
    options = TransferOptions(
        sources=tuple(source),
        target=EnvironmentChoice(target, kwargs),
        source_environments=tuple(source_env or ()),
        digests=tuple(sha256 or ()),
        budget=n_timesteps,
        seed=seed,
        log_folder=require_writable(log_folder),
        episodes=episodes,
        progress=progress,
        tensorboard_folder=tensorboard_log,
        stepping=stepping,
    )
    from rltransfer.workflows.transfer import transfer_run

    return transfer_run(options, current_session())
