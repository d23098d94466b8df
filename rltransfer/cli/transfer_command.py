"""`rltransfer transfer`: makes agents of one environment act in another."""

from pathlib import Path
from typing import Annotated

import typer

from rltransfer.argument_checks import (
    EPISODE_CAP,
    REPORTED_EPISODES,
    STEP_SECONDS,
    TARGET_STEPS,
    require_vec_env,
)
from rltransfer.cli.arguments import (
    Device,
    EpisodeCap,
    Hyperparams,
    Json,
    LogFolder,
    Progress,
    Seed,
    StepSeconds,
    TensorboardLog,
    VecEnvChoice,
    read_pairs,
    read_whole,
)
from rltransfer.cli.output import Outcome
from rltransfer.errors import InputError


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
    source_kwargs: Annotated[
        list[str] | None,
        typer.Option(
            "--source-kwargs",
            metavar="KEY=VALUE …",
            help="Replace recorded arguments of the source's environment.",
        ),
    ] = None,
    sha256: Annotated[
        list[str] | None,
        typer.Option("--sha256", help="Hash that the source's file must have."),
    ] = None,
    statistics: Annotated[
        list[str] | None,
        typer.Option(
            "--statistics",
            metavar="FILE …",
            help="VecNormalize statistics of each source in order; none: it has none.",
        ),
    ] = None,
    weak_source: Annotated[
        bool,
        typer.Option(
            "--weak-source",
            help="Transfer a source even if it does not beat random at home.",
        ),
    ] = False,
    n_timesteps: Annotated[
        int,
        typer.Option(
            "-n",
            "--n-timesteps",
            parser=read_whole,
            metavar="N",
            help="Target steps of all sources together, a hard limit.",
        ),
    ] = TARGET_STEPS,
    episodes: Annotated[
        int, typer.Option("--episodes", help="Fresh episodes behind each figure.")
    ] = REPORTED_EPISODES,
    seed: Seed = 0,
    hyperparams: Hyperparams = None,
    log_folder: LogFolder = Path("runs"),
    device: Device = "auto",
    progress: Progress = False,
    tensorboard_log: TensorboardLog = None,
    vec_env: VecEnvChoice = "dummy",
    step_seconds: StepSeconds = STEP_SECONDS,
    episode_cap: EpisodeCap = EPISODE_CAP,
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
    """Find the mapping to a target, accept it or refuse it, and report."""
    del json  # what prints the result reads it
    if resume is not None:
        from rltransfer.workflows.transfer_run import resume_transfer

        return resume_transfer(
            resume,
            environments=source_env or (),
            progress=progress,
            vec_env=require_vec_env(vec_env),
            step_seconds=step_seconds,
            episode_cap=episode_cap,
            handle_signals=True,
        )
    for option, value in (("--source", source), ("--target", target)):
        if not value:
            raise InputError(
                f"missing option {option!r}; see rltransfer transfer --help"
            )
    assert source is not None and target is not None
    if device not in ("auto", "cpu"):
        raise InputError(
            "--device is cpu here, where batches are too small to gain from another, "
            f"got {device!r}; choose cpu or auto"
        )
    kwargs = read_pairs(target_kwargs or (), "--target-kwargs")
    replaced = read_pairs(source_kwargs or (), "--source-kwargs")
    overrides = read_pairs(hyperparams or (), "--hyperparams", "restarts=16")
    from rltransfer.workflows.environments import EnvironmentChoice, Stepping
    from rltransfer.workflows.transfer_request import TransferRequest
    from rltransfer.workflows.transfer_run import run_transfer

    return run_transfer(
        TransferRequest(
            sources=tuple(source),
            target=EnvironmentChoice(target, kwargs),
            source_environments=tuple(source_env or ()),
            source_kwargs=replaced,
            weak_source=weak_source,
            digests=tuple(sha256 or ()),
            statistics=tuple(statistics or ()),
            budget=n_timesteps,
            seed=seed,
            log_folder=log_folder,
            episodes=episodes,
            hyperparams=overrides,
            progress=progress,
            tensorboard_folder=tensorboard_log,
            stepping=Stepping(require_vec_env(vec_env), step_seconds, episode_cap),
        ),
        handle_signals=True,
    )
