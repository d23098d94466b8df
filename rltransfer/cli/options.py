"""Options that mean the same with every verb, spelt as RL Zoo spells them."""

import os
from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from rltransfer.errors import InputError, StorageError
from rltransfer.io import make_folder
from rltransfer.workflows.environment_choice import Stepping
from rltransfer.wrappers import StepTimeout

MOST_SEEDS = 2**31
FEWEST_EPISODES = 20
"""Episodes that a reported figure rests on, unless asked otherwise."""

EnvKwargs: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--env-kwargs",
        metavar="KEY=VALUE …",
        help="What the environment is made with.",
    ),
]
Seed: TypeAlias = Annotated[int, typer.Option("--seed", help="Of everything drawn.")]
LogFolder: TypeAlias = Annotated[
    Path, typer.Option("-f", "--log-folder", help="Where run folders are made.")
]
Device: TypeAlias = Annotated[
    str, typer.Option("--device", help="Where networks live: cpu, cuda, auto.")
]
Progress: TypeAlias = Annotated[
    bool, typer.Option("-P", "--progress", help="Show progress on standard error.")
]
TensorboardLog: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--tensorboard-log", help="Folder for TensorBoard; default: the run's own."
    ),
]
Json: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--json", help="Print one JSON object on standard output, and nothing else."
    ),
]


VecEnvChoice: TypeAlias = Annotated[
    str,
    typer.Option(
        "--vec-env",
        help="dummy: environments in this process; subproc: each in one of its own, "
        "where it may hang or die alone.",
    ),
]
StepSeconds: TypeAlias = Annotated[
    float,
    typer.Option("--step-seconds", help="Longest time of one step of an environment."),
]


def require_seed(seed: int) -> None:
    """Raises unless every generator takes `seed`."""
    if not 0 <= seed < MOST_SEEDS:
        raise InputError(
            f"--seed lies from 0 to {MOST_SEEDS - 1}, got {seed}; choose another"
        )


def require_at_least(option: str, value: int, least: int, reason: str = "") -> None:
    """Raises unless `value`, given to `option`, is `least` or more."""
    if value < least:
        why = f" ({reason})" if reason else ""
        raise InputError(f"{option} is at least {least}{why}, got {value}; give more")


def require_device(device: str) -> str:
    """Returns the name that torch has for a device that is there."""
    import torch

    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as fault:
        reason = str(fault).splitlines()[0].rstrip(".")
        raise InputError(
            f"--device names a device that torch can use here, got {device!r} "
            f"({reason}); choose cpu or auto"
        ) from fault
    return device


def require_stepping(vec_env: str, step_seconds: float) -> Stepping:
    """Returns how environments are stepped, or raises where that cannot be."""
    StepTimeout(step_seconds)  # knows what a time must be
    match vec_env:
        case "dummy" | "subproc":
            return Stepping(vec_env, step_seconds)
    raise InputError(f"--vec-env is dummy or subproc, got {vec_env!r}; choose one")


def require_processor(device: str) -> None:
    """Raises if a verb that computes on the processor is sent elsewhere."""
    if device not in ("auto", "cpu"):
        raise InputError(
            "--device is cpu here, where batches are too small to gain from another, "
            f"got {device!r}; choose cpu or auto"
        )


def require_writable(folder: Path) -> Path:
    """Returns the log folder, made where missing, before any work is done for it."""
    make_folder(folder)
    if not os.access(folder, os.W_OK | os.X_OK):
        raise StorageError(
            f"--log-folder must be writable, {folder} is not; choose another"
        )
    return folder
