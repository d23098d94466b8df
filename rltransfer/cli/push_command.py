"""`rltransfer push`: a finished run onto the Hugging Face Hub."""

from pathlib import Path
from typing import Annotated

import typer

from rltransfer.cli.arguments import Json
from rltransfer.report import Result


def push(
    run: Annotated[
        Path,
        typer.Argument(help="Folder of a finished run of train-source or transfer."),
    ],
    repository: Annotated[
        str,
        typer.Argument(metavar="ORG/REPO", help="Is made where there is none."),
    ],
    env: Annotated[
        str | None,
        typer.Option(
            "--env",
            metavar="ID",
            help="The run's own environment again, where it is in a module of yours.",
        ),
    ] = None,
    private: Annotated[
        bool,
        typer.Option("--private", help="A repository that is made is for you alone."),
    ] = False,
    force: Annotated[
        bool,
        typer.Option("--force", help="Push a mapping even if it was refused."),
    ] = False,
    json: Json = False,
) -> Result:
    """Share a run on the hub, with a model card; by the token of hf auth login."""
    del json  # what prints the result reads it
    import rltransfer

    return rltransfer.push(run, repository, env=env, private=private, force=force)
