"""Options that mean the same with every verb, with RL Zoo's names."""

from pathlib import Path
from typing import Annotated, TypeAlias

import typer

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
    Path,
    typer.Option(
        "-f", "--log-folder", file_okay=False, help="Where run folders are made."
    ),
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
        "--tensorboard-log",
        file_okay=False,
        help="Folder for TensorBoard; default: the run's own.",
    ),
]
Json: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--json", help="Print one JSON object on standard output, and nothing else."
    ),
]
Sha256: TypeAlias = Annotated[
    str | None, typer.Option("--sha256", help="Hash the agent's file must have.")
]
Statistics: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--statistics",
        metavar="FILE",
        help="The agent's VecNormalize statistics, by path or name beside the agent; "
        "none: it has none.",
    ),
]
VecEnvChoice: TypeAlias = Annotated[
    str,
    typer.Option(
        "--vec-env",
        help="dummy: environments in this process; subproc: each in one of its own, "
        "which may hang or crash without ending the run.",
    ),
]
StepSeconds: TypeAlias = Annotated[
    float,
    typer.Option("--step-seconds", help="Longest time of one step of an environment."),
]
EpisodeCap: TypeAlias = Annotated[
    int,
    typer.Option(
        "--episode-cap",
        help="Most steps of one reported episode; for environments that may not end.",
    ),
]
Hyperparams: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--hyperparams",
        "-params",
        metavar="KEY=VALUE …",
        help="Replace values of the tuned hyperparameters.",
    ),
]


def read_whole(value: str | int) -> int:
    """Returns a whole number, which may be typed as `1e4` or `10_000`."""
    text = str(value)  # defaults come as they are
    try:
        number = float(text)
        whole = int(text) if text.isdecimal() else int(number)
    except (ValueError, OverflowError):
        raise typer.BadParameter(f"{text!r} is not a whole number") from None
    if whole != number:
        raise typer.BadParameter(f"{text!r} is not a whole number")
    return whole
