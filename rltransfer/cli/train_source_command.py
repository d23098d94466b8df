"""`rltransfer train-source`: trains agents to transfer from."""

from pathlib import Path
from typing import Annotated

import typer

from rltransfer.cli.arguments import read_pairs
from rltransfer.cli.options import (
    Device,
    EnvKwargs,
    Json,
    LogFolder,
    Progress,
    Seed,
    StepSeconds,
    TensorboardLog,
    VecEnvChoice,
    require_at_least,
    require_device,
    require_seed,
    require_stepping,
    require_writable,
)
from rltransfer.cli.session import Outcome, current_session
from rltransfer.errors import InputError
from rltransfer.wrappers import STEP_SECONDS


def train_source(
    env: Annotated[
        list[str] | None,
        typer.Option("--env", metavar="ID …", help="Several are trained side by side."),
    ] = None,
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
    env_kwargs: EnvKwargs = None,
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
    vec_env: VecEnvChoice = "dummy",
    step_seconds: StepSeconds = STEP_SECONDS,
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
    del json  # what prints the outcome knows
    if resume:
        current_session().require_alone("--env")
        from rltransfer.workflows.train_source import resume_each

        return resume_each(current_session(), resume, progress, env or ())
    if not env:
        raise InputError("missing option '--env'; see rltransfer train-source --help")
    if n_timesteps is not None:
        require_at_least("--n-timesteps", n_timesteps, 1)
    require_seed(seed)
    kwargs = read_pairs(env_kwargs or (), "--env-kwargs")
    stepping = require_stepping(vec_env, step_seconds)
    overrides = read_pairs(hyperparams or (), "--hyperparams")
    require_writable(log_folder)
    from rltransfer.workflows.train_source import train_each
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
            vec_env=stepping.vec_env,
            step_seconds=stepping.step_seconds,
        )
        for env_id in env
    ]
    return train_each(current_session(), configs, progress)
