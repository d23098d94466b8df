"""Verbs about agents: `train-source`, `evaluate`, `inspect`, `export`; and `demo`."""

from pathlib import Path
from typing import Annotated

import typer

from rltransfer.argument_checks import EPISODE_CAP, REPORTED_EPISODES, STEP_SECONDS
from rltransfer.cli.arguments import (
    Device,
    EnvKwargs,
    EpisodeCap,
    Hyperparams,
    Json,
    LogFolder,
    Progress,
    Ray,
    Seed,
    Sha256,
    Statistics,
    StepSeconds,
    TensorboardLog,
    VecEnvChoice,
    Words,
    timesteps,
)
from rltransfer.cli.typed_words import read_pairs
from rltransfer.errors import InputError
from rltransfer.report import Result


def train_source(
    env: Annotated[
        Words,
        typer.Option("--env", metavar="ID …", help="Several are trained side by side."),
    ] = None,
    algo: Annotated[
        str, typer.Option("--algo", help="By Stable-Baselines3's name.")
    ] = "ppo",
    n_timesteps: Annotated[
        int | None,
        timesteps("Steps to learn from; default: as the hyperparameters say."),
    ] = None,
    seed: Seed = 0,
    seeds: Annotated[
        int,
        typer.Option(
            "--seeds", metavar="N", help="Agents for each, by --seed and those after."
        ),
    ] = 1,
    jobs: Annotated[
        int | None,
        typer.Option(
            "--jobs", metavar="J", help="At once; default: as many as there are CPUs."
        ),
    ] = None,
    ray: Ray = None,
    shared: Annotated[
        bool,
        typer.Option("--shared", help="One agent learns all environments of --env."),
    ] = False,
    log_folder: LogFolder = Path("runs"),
    env_kwargs: EnvKwargs = None,
    hyperparams: Hyperparams = None,
    device: Device = "auto",
    progress: Progress = False,
    tensorboard_log: TensorboardLog = None,
    vec_env: VecEnvChoice = "dummy",
    step_seconds: StepSeconds = STEP_SECONDS,
    episode_cap: EpisodeCap = EPISODE_CAP,
    source_model: Annotated[
        bool,
        typer.Option(
            "--source-model",
            help="Also learn what a transfer needs of each agent; by default the first "
            "transfer does, and keeps it.",
        ),
    ] = False,
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
) -> Result:
    """Train an agent in each environment, with tuned hyperparameters."""
    del json  # what prints the result reads it
    if resume:
        from rltransfer.workflows.train_source import resume_training

        return resume_training(
            resume,
            environments=env or (),
            progress=progress,
            source_model=source_model,
        )
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
        seeds=seeds,
        jobs=jobs,
        ray=ray,
        shared=shared,
        log_folder=log_folder,
        device=device,
        tensorboard_log=tensorboard_log,
        vec_env=vec_env,
        step_seconds=step_seconds,
        episode_cap=episode_cap,
        progress=progress,
        source_model=source_model,
    )


_Agent = Annotated[
    Path, typer.Argument(help="Run folder, RL Zoo folder, zip, or transfer.")
]


def evaluate(
    agent: _Agent,
    env: Annotated[
        str | None,
        typer.Option(
            "--env", "--source-env", metavar="ID", help="Default: the agent's own."
        ),
    ] = None,
    env_kwargs: EnvKwargs = None,
    episodes: Annotated[
        int,
        typer.Option("--episodes", help="Fresh episodes; more narrow the interval."),
    ] = REPORTED_EPISODES,
    seed: Seed = 0,
    sha256: Sha256 = None,
    statistics: Statistics = None,
    vec_env: VecEnvChoice = "dummy",
    step_seconds: StepSeconds = STEP_SECONDS,
    episode_cap: EpisodeCap = EPISODE_CAP,
    progress: Progress = False,
    adapt: Annotated[
        bool,
        typer.Option(
            "--adapt",
            help="Correct the mapping of a transfer while it acts, in a target that "
            "changes; its steps are learned from.",
        ),
    ] = False,
    tensorboard_log: Annotated[
        Path | None,
        typer.Option(
            "--tensorboard-log",
            file_okay=False,
            help="With --adapt: folder for TensorBoard; default: none.",
        ),
    ] = None,
    json: Json = False,
) -> Result:
    """Report the returns of an agent or of a transfer, with their interval."""
    del json  # what prints the result reads it
    kwargs = read_pairs(env_kwargs or (), "--env-kwargs")
    import rltransfer

    return rltransfer.evaluate(
        agent,
        env,
        env_kwargs=kwargs,
        episodes=episodes,
        seed=seed,
        sha256=sha256,
        statistics=statistics,
        vec_env=vec_env,
        step_seconds=step_seconds,
        episode_cap=episode_cap,
        progress=progress,
        adapt=adapt,
        tensorboard_log=tensorboard_log,
    )


def inspect(
    path: Annotated[
        Path,
        typer.Argument(
            help="Run folder, RL Zoo folder, zip, bundle, statistics or transfer."
        ),
    ],
    sha256: Sha256 = None,
    statistics: Statistics = None,
    verbose: Annotated[
        bool,
        typer.Option("--verbose", help="Also list the fields that are not read."),
    ] = False,
    json: Json = False,
) -> Result:
    """Say what is inside a file or folder, without running any of it."""
    del json  # what prints the result reads it
    import rltransfer

    return rltransfer.inspect(
        path, sha256=sha256, statistics=statistics, verbose=verbose
    )


def export(
    agent: _Agent,
    to: Annotated[
        Path,
        typer.Argument(
            help="File to write: .safetensors (bundle), .npz (NumPy alone) or .onnx; "
            "a transfer: .onnx; a student of it: .npz or .onnx."
        ),
    ],
    sha256: Sha256 = None,
    statistics: Statistics = None,
    distil: Annotated[
        int | None,
        typer.Option(
            "--distil",
            metavar="WIDTH",
            help="Write a small student of the mapped policy instead, with two hidden "
            "layers of WIDTH; the options below are for it.",
        ),
    ] = None,
    n_timesteps: Annotated[
        int,
        timesteps("Target steps to learn from, beside those that the run keeps."),
    ] = 10_000,
    episodes: Annotated[
        int,
        typer.Option("--episodes", help="Of the comparison; learned from by no one."),
    ] = 100,
    seed: Seed = 0,
    force: Annotated[
        bool,
        typer.Option("--force", help="Write it even if it keeps less than 0.99."),
    ] = False,
    vec_env: VecEnvChoice = "dummy",
    step_seconds: StepSeconds = STEP_SECONDS,
    json: Json = False,
) -> Result:
    """Write an agent as a bundle, NumPy arrays or ONNX; a transfer as ONNX."""
    del json  # what prints the result reads it
    import rltransfer

    return rltransfer.export(
        agent,
        to,
        sha256=sha256,
        statistics=statistics,
        distil=distil,
        steps=n_timesteps,
        episodes=episodes,
        seed=seed,
        force=force,
        vec_env=vec_env,
        step_seconds=step_seconds,
    )


def demo(
    scramble: Annotated[
        int, typer.Option("--scramble", help="Which unknown sensors and motors.")
    ] = 100,
    seed: Seed = 0,
    log_folder: LogFolder = Path("runs/demo"),
    progress: Progress = True,
    json: Json = False,
) -> Result:
    """Train on CartPole, then act behind sensors and motors never seen."""
    del json  # what prints the result reads it
    from rltransfer.workflows.demo import demo as run_demo

    return run_demo(
        log_folder,
        scramble=scramble,
        seed=seed,
        progress=progress,
        handle_signals=True,
    )
