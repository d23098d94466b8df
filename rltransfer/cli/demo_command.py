"""`rltransfer demo`: the whole way once, in a minute or two."""

from pathlib import Path
from typing import Annotated

import typer

from rltransfer.cli.options import (
    Json,
    LogFolder,
    Progress,
    Seed,
    require_seed,
    require_writable,
)
from rltransfer.cli.session import Outcome, current_session


def demo(
    scramble: Annotated[
        int, typer.Option("--scramble", help="Which unknown sensors and motors.")
    ] = 100,
    seed: Seed = 0,
    log_folder: LogFolder = Path("runs/demo"),
    progress: Progress = True,
    json: Json = False,
) -> Outcome:
    """Train on CartPole, then act behind sensors and motors never seen."""
    del json  # what prints the outcome knows
    require_seed(seed)
    require_writable(log_folder)
    from rltransfer.workflows.demo import demonstrate

    return demonstrate(current_session(), log_folder, scramble, seed, progress)
