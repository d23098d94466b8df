"""Options that several verbs spell alike."""

from pathlib import Path
from typing import Annotated, Any, TypeAlias

import typer

from rltransfer.argument_checks import VecEnv, require_vec_env
from rltransfer.cli.typed_words import read_whole


def _pairs(*names: str, help: str) -> Any:
    return typer.Option(*names, metavar="KEY=VALUE …", help=help)


Words: TypeAlias = list[str] | None
EnvKwargs: TypeAlias = Annotated[
    Words, _pairs("--env-kwargs", help="What the environment is made with.")
]
TargetKwargs: TypeAlias = Annotated[
    Words, _pairs("--target-kwargs", help="What the target is made with.")
]
SourceKwargs: TypeAlias = Annotated[
    Words,
    _pairs(
        "--source-kwargs",
        help="Replace recorded arguments of the source's environment.",
    ),
]
Hyperparams: TypeAlias = Annotated[
    Words,
    _pairs(
        "--hyperparams", "-params", help="Replace values of the tuned hyperparameters."
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
NoReport: TypeAlias = Annotated[
    bool, typer.Option("--no-report", help="Write no report.html.")
]
Ray: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--ray",
        metavar="ADDRESS|local",
        help="Do the work on a Ray cluster of your own, whose machines all see the log "
        "folder; local: on this machine.",
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
    VecEnv,
    typer.Option(
        "--vec-env",
        parser=str,
        callback=require_vec_env,
        metavar="<str>",
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
Student: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--student",
        metavar="ALGO",
        help="With --improve: what learns on, td3 or sac; dqn where actions are "
        "discrete; or ppo, which learns from its own draws alone.",
    ),
]
Strategy: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--strategy",
        metavar="NAME",
        help="With --improve: how it learns from the mapped policy; hold (default), "
        "ibrl, kickstart, jumpstart, prefill, features, value, finetune, or scratch: "
        "not at all.",
    ),
]
Threshold: TypeAlias = Annotated[
    float | None,
    typer.Option(
        "--threshold",
        metavar="R",
        help="With --improve: mean return that counts as solved; default: the target's "
        "own.",
    ),
]


def timesteps(help: str) -> Any:
    """Returns the option `-n`, a whole number of steps; `help` says of which."""
    names = "-n", "--n-timesteps"
    return typer.Option(*names, parser=read_whole, metavar="N", help=help)


AlignmentSteps: TypeAlias = Annotated[
    int | None,
    typer.Option(
        "--alignment-steps",
        parser=read_whole,
        metavar="N",
        help="With --improve: how many of -n the alignment may take; default: a "
        "quarter, at most 10,000. To end a test that is ahead, up to 5 % of the others "
        "besides.",
    ),
]
