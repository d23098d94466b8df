"""`rltransfer transfer`: makes agents of one environment act in another."""

from pathlib import Path
from typing import Annotated

import typer

from rltransfer.argument_checks import (
    EPISODE_CAP,
    REPORTED_EPISODES,
    STEP_SECONDS,
    TARGET_STEPS,
)
from rltransfer.cli.arguments import (
    AlignmentSteps,
    Device,
    EpisodeCap,
    Hyperparams,
    Json,
    LogFolder,
    NoReport,
    Progress,
    Seed,
    SourceKwargs,
    StepSeconds,
    Strategy,
    Student,
    TargetKwargs,
    TensorboardLog,
    Threshold,
    VecEnvChoice,
    Words,
    timesteps,
)
from rltransfer.cli.typed_words import read_pairs
from rltransfer.errors import InputError
from rltransfer.report import Result


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
    target_kwargs: TargetKwargs = None,
    source_env: Annotated[
        Words,
        typer.Option(
            "--source-env",
            "--env",
            metavar="ID …",
            help="Environment of the source, where its files do not say or name an "
            "old one.",
        ),
    ] = None,
    source_kwargs: SourceKwargs = None,
    target_data: Annotated[
        str | None,
        typer.Option(
            "--target-data",
            metavar="PATH|minari:ID",
            help="Logged steps of the target, which cost none: an .npz file or a "
            "Minari dataset. With -n 0 they are all that is known of it.",
        ),
    ] = None,
    source_data: Annotated[
        Words,
        typer.Option(
            "--source-data",
            metavar="PATH|minari:ID …",
            help="Logged steps of each source's environment in order, learned from "
            "beside its own; none: it has none.",
        ),
    ] = None,
    sha256: Annotated[
        Words,
        typer.Option(
            "--sha256",
            metavar="HASH …",
            help="Hash that the file of each source must have, in order.",
        ),
    ] = None,
    statistics: Annotated[
        Words,
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
        timesteps(
            "Target steps of all sources together, and of learning on; a hard "
            "limit. 0: none, the mapping is found from --target-data and unproved."
        ),
    ] = TARGET_STEPS,
    improve: Annotated[
        bool,
        typer.Option(
            "--improve",
            help="Learn on in the target with the steps that are left; what comes out "
            "is never worse than the mapped policy by counted episodes.",
        ),
    ] = False,
    student: Student = None,
    strategy: Strategy = None,
    threshold: Threshold = None,
    alignment_steps: AlignmentSteps = None,
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
    no_cache: Annotated[
        bool,
        typer.Option(
            "--no-cache",
            help="Learn the source model anew, and keep none for the next transfer; "
            "no number changes.",
        ),
    ] = False,
    no_report: NoReport = False,
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
) -> Result:
    """Find the mapping to a target, accept or refuse it, perhaps learn on; report."""
    del json  # what prints the result reads it
    if resume is not None:
        from rltransfer.workflows.transfer_run import resume_transfer

        return resume_transfer(
            resume,
            environments=source_env or (),
            progress=progress,
            vec_env=vec_env,
            step_seconds=step_seconds,
            episode_cap=episode_cap,
            handle_signals=True,
        )
    if not source or not target:
        missing = "--target" if source else "--source"
        raise InputError(f"missing option {missing!r}; see rltransfer transfer --help")
    if device not in ("auto", "cpu"):
        raise InputError(
            "--device is cpu here, where batches are too small to gain from another, "
            f"got {device!r}; choose cpu or auto"
        )
    kwargs = read_pairs(target_kwargs or (), "--target-kwargs")
    replaced = read_pairs(source_kwargs or (), "--source-kwargs")
    overrides = read_pairs(hyperparams or (), "--hyperparams", "restarts=16")
    import rltransfer

    return rltransfer.transfer(
        source,
        target,
        target_kwargs=kwargs,
        source_env=source_env,
        source_kwargs=replaced,
        target_data=target_data,
        source_data=source_data,
        steps=n_timesteps,
        episodes=episodes,
        seed=seed,
        sha256=sha256,
        statistics=statistics,
        weak_source=weak_source,
        hyperparams=overrides,
        log_folder=log_folder,
        tensorboard_log=tensorboard_log,
        vec_env=vec_env,
        step_seconds=step_seconds,
        episode_cap=episode_cap,
        progress=progress,
        handle_signals=True,
        cache=not no_cache,
        report=not no_report,
        improve=improve,
        student=student,
        strategy=strategy,
        threshold=threshold,
        alignment_steps=alignment_steps,
    )
