"""`rltransfer train-source`: trains agents to transfer from."""

from pathlib import Path
from typing import Annotated

import typer

from rltransfer.argument_checks import EPISODE_CAP, STEP_SECONDS, require_vec_env
from rltransfer.cli.arguments import (
    Device,
    EnvKwargs,
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


def train_source(
    env: Annotated[
        list[str] | None,
        typer.Option("--env", metavar="ID …", help="Several are trained side by side."),
    ] = None,
    algo: Annotated[
        str, typer.Option("--algo", help="By Stable-Baselines3's name.")
    ] = "ppo",
    n_timesteps: Annotated[
        int | None,
        typer.Option(
            "-n",
            "--n-timesteps",
            parser=read_whole,
            metavar="N",
            help="Steps to learn from; default: as the hyperparameters say.",
        ),
    ] = None,
    seed: Seed = 0,
    log_folder: LogFolder = Path("runs"),
    env_kwargs: EnvKwargs = None,
    hyperparams: Hyperparams = None,
    device: Device = "auto",
    progress: Progress = False,
    tensorboard_log: TensorboardLog = None,
    vec_env: VecEnvChoice = "dummy",
    step_seconds: StepSeconds = STEP_SECONDS,
    episode_cap: EpisodeCap = EPISODE_CAP,
    resume: Annotated[
        list[Path] | None,
        typer.Option(
            "--resume",
            metavar="RUN …",
            help="Go on with interrupted runs, by their folders; a folder knows all "
            "other options.",
        ),
    ] = None,
    json: Json = False,
) -> Outcome:
    """Train an agent in each environment, with tuned hyperparameters."""
    del json  # what prints the result reads it
    if resume:
        from rltransfer.workflows.train_source import resume_training

        return resume_training(resume, environments=env or (), progress=progress)
    if not env:
        raise InputError("missing option '--env'; see rltransfer train-source --help")
    kwargs = read_pairs(env_kwargs or (), "--env-kwargs")
    overrides = read_pairs(hyperparams or (), "--hyperparams", "gamma=0.98")
    import rltransfer

    return rltransfer.train_source(
        env,
        algo,
        n_timesteps,
        env_kwargs=kwargs,
        hyperparams=overrides,
        seed=seed,
        log_folder=log_folder,
        device=device,
        tensorboard_log=tensorboard_log,
        vec_env=require_vec_env(vec_env),
        step_seconds=step_seconds,
        episode_cap=episode_cap,
        progress=progress,
    )
