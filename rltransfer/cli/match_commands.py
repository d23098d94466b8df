"""`rltransfer match`, `explain` and `meta-train`: which variable is which."""

from pathlib import Path
from typing import Annotated

import typer

from rltransfer.argument_checks import STEP_SECONDS
from rltransfer.cli.arguments import (
    Json,
    LogFolder,
    Progress,
    Seed,
    SourceKwargs,
    StepSeconds,
    TargetKwargs,
    TensorboardLog,
    VecEnvChoice,
    timesteps,
)
from rltransfer.cli.typed_words import read_pairs
from rltransfer.report import Result

_Side = Annotated[
    str, typer.Argument(help="Id of an environment, or the path of an agent.")
]

_Log = Annotated[
    str | None,
    typer.Option(
        metavar="PATH|minari:ID",
        help="Logged steps of that environment, in place of random ones: an .npz file "
        "or a Minari dataset.",
    ),
]


def match(
    source: _Side,
    target: _Side,
    source_kwargs: SourceKwargs = None,
    target_kwargs: TargetKwargs = None,
    source_data: _Log = None,
    target_data: _Log = None,
    n_timesteps: Annotated[
        int,
        timesteps("Random steps in each that has no log."),
    ] = 1_000,
    seed: Seed = 0,
    network: Annotated[
        Path | None,
        typer.Option(
            "--network",
            metavar="FILE",
            help="Weights that meta-train wrote; default: those that come along.",
        ),
    ] = None,
    vec_env: VecEnvChoice = "dummy",
    step_seconds: StepSeconds = STEP_SECONDS,
    json: Json = False,
) -> Result:
    """Tell which variable is which, from random or logged steps; no policy acts."""
    del json  # what prints the result reads it
    ours = read_pairs(source_kwargs or (), "--source-kwargs")
    theirs = read_pairs(target_kwargs or (), "--target-kwargs")
    import rltransfer

    return rltransfer.match(
        source,
        target,
        source_kwargs=ours,
        target_kwargs=theirs,
        source_data=source_data,
        target_data=target_data,
        steps=n_timesteps,
        seed=seed,
        network=network,
        vec_env=vec_env,
        step_seconds=step_seconds,
    )


def explain(
    run: Annotated[Path, typer.Argument(help="Run folder of a finished transfer.")],
    json: Json = False,
) -> Result:
    """Tell what a transfer's map makes of each variable, and what matters to it."""
    del json  # what prints the result reads it
    import rltransfer

    return rltransfer.explain(run)


def meta_train(
    minutes: Annotated[
        float,
        typer.Option("--minutes", metavar="M", help="How long; uses two processors."),
    ] = 25.0,
    seed: Seed = 0,
    held_out: Annotated[
        int,
        typer.Option(
            "--held-out", metavar="N", help="Pairs of systems in the table at the end."
        ),
    ] = 40,
    log_folder: LogFolder = Path("runs"),
    tensorboard_log: TensorboardLog = None,
    progress: Progress = False,
    resume: Annotated[
        Path | None,
        typer.Option(
            "--resume",
            metavar="RUN",
            help="Go on with an interrupted training, by its folder.",
        ),
    ] = None,
    json: Json = False,
) -> Result:
    """Train the network that matches variables anew, on made-up systems."""
    del json  # what prints the result reads it
    from rltransfer.workflows import meta_train as workflow

    if resume is not None:
        return workflow.resume_meta_training(
            resume, held_out=held_out, progress=progress, handle_signals=True
        )
    return workflow.meta_train(
        minutes=minutes,
        seed=seed,
        held_out=held_out,
        log_folder=log_folder,
        tensorboard_log=tensorboard_log,
        progress=progress,
        handle_signals=True,
    )
