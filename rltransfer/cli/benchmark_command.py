"""`rltransfer benchmark`: strategies on named pairs, over seeds."""

from pathlib import Path
from typing import Annotated

import typer

from rltransfer.cli.arguments import Json, NoReport, Progress, Ray, Words
from rltransfer.errors import InputError
from rltransfer.report import Result


def benchmark(
    suite: Annotated[
        Words,
        typer.Option(
            "--suite", metavar="NAME …", help="Pairs that are measured together."
        ),
    ] = None,
    pairs: Annotated[
        Words, typer.Option("--pairs", metavar="NAME …", help="Single pairs.")
    ] = None,
    strategies: Annotated[
        Words,
        typer.Option(
            "--strategies",
            metavar="NAME …",
            help="zero-shot (default), scratch, random-source, shuffled-map, or one "
            "that transfer learns on by.",
        ),
    ] = None,
    seeds: Annotated[
        int,
        typer.Option(
            "--seeds", metavar="N", help="How many; drawn once for a log folder."
        ),
    ] = 5,
    only_seeds: Annotated[
        Words,
        typer.Option(
            "--only-seeds", metavar="SEED …", help="These in the place of drawn ones."
        ),
    ] = None,
    jobs: Annotated[
        int | None,
        typer.Option(
            "--jobs",
            metavar="J",
            help="At once; default: 1, with --ray as many as there are CPUs.",
        ),
    ] = None,
    ray: Ray = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="A fifth of the learning steps.")
    ] = False,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Run all anew; the file keeps both.")
    ] = False,
    known: Annotated[
        Path | None,
        typer.Option(
            "--known",
            metavar="CSV",
            help="benchmark.csv of another run, whose jobs are not run again.",
        ),
    ] = None,
    log_folder: Annotated[
        Path,
        typer.Option(
            "-f",
            "--log-folder",
            file_okay=False,
            help="For sources, finished jobs, tables and the picture.",
        ),
    ] = Path("runs/benchmark"),
    export: Annotated[
        Words,
        typer.Option(
            "--export",
            metavar="FILE …",
            help=".csv or .jsonl for other tools: a row for each measured return.",
        ),
    ] = None,
    tensorboard_log: Annotated[
        Path | None,
        typer.Option(
            "--tensorboard-log",
            file_okay=False,
            help="Folder for the same as TensorBoard's events.",
        ),
    ] = None,
    no_report: NoReport = False,
    progress: Progress = False,
    json: Json = False,
) -> Result:
    """Compare strategies on pairs; goes on where it was stopped."""
    del json  # what prints the result reads it
    import rltransfer

    return rltransfer.benchmark(
        suite or (),
        strategies or ("zero-shot",),
        pairs=pairs or (),
        seeds=seeds if only_seeds is None else _whole(only_seeds),
        jobs=jobs,
        ray=ray,
        quick=quick,
        fresh=fresh,
        known=known,
        log_folder=log_folder,
        progress=progress,
        report=not no_report,
        export=export or (),
        tensorboard_log=tensorboard_log,
    )


def _whole(words: list[str]) -> list[int]:
    for word in words:
        if not word.isdecimal():
            raise InputError(
                f"--only-seeds takes whole numbers, got {word!r}; write for example "
                "--only-seeds 890 993"
            )
    return [int(word) for word in words]
