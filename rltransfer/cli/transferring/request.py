"""What a transfer was asked for, kept in its folder until it is finished."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rltransfer.alignment import AlignConfig
from rltransfer.cli.agents import Actor
from rltransfer.cli.arguments import read_value
from rltransfer.cli.environments import EnvironmentChoice
from rltransfer.cli.transferring.options import TransferOptions
from rltransfer.domain import is_journal, read_request
from rltransfer.errors import InputError
from rltransfer.runs import MANIFEST_NAME, read_manifest

_VERB = "transfer"


def journal_folder(run: Path) -> Path:
    """Returns where a run keeps what it goes on from; hidden, as it is no result."""
    return run / ".resume"


def request_of(
    options: TransferOptions, actors: Sequence[Actor], config: AlignConfig
) -> dict[str, Any]:
    """Returns all that shapes the result, as JSON."""
    tensorboard = options.tensorboard_folder
    return {
        "verb": _VERB,
        "sources": [
            {"path": str(actor.path.resolve()), "sha256": actor.sha256}
            for actor in actors
        ],
        "source_env": list(options.source_environments),
        "target": options.target.env_id,
        # As they are typed: JSON would make lists of tuples.
        "target_kwargs": {
            name: repr(value) for name, value in options.target.kwargs.items()
        },
        "budget": options.budget,
        "episodes": options.episodes,
        "seed": options.seed,
        "tensorboard_log": None if tensorboard is None else str(tensorboard.resolve()),
        "align": asdict(config),
    }


def require_transfer(run: Path) -> None:
    """Raises unless `run` is the folder of a transfer, finished or not."""
    finished = (run / MANIFEST_NAME).is_file()
    if finished and read_manifest(run).verb == _VERB:
        return
    if not finished and is_journal(journal_folder(run)):
        return
    raise InputError(
        f"--resume takes the folder of one run of transfer, got {run}; name a folder "
        "such as runs/transfer/Acrobot-v1_1"
    )


def options_of(run: Path, progress: bool) -> TransferOptions:
    """Returns what the interrupted transfer in `run` was asked for.

    Args:
        run: its folder.
        progress: whether to show progress now.
    """
    asked: Mapping[str, Any] = read_request(journal_folder(run))["request"]
    tensorboard = asked["tensorboard_log"]
    kwargs = {name: read_value(text) for name, text in asked["target_kwargs"].items()}
    return TransferOptions(
        sources=tuple(Path(source["path"]) for source in asked["sources"]),
        target=EnvironmentChoice(asked["target"], kwargs),
        source_environments=tuple(asked["source_env"]),
        digests=tuple(source["sha256"] for source in asked["sources"]),
        budget=asked["budget"],
        seed=asked["seed"],
        log_folder=run.parent.parent,
        episodes=asked["episodes"],
        progress=progress,
        tensorboard_folder=None if tensorboard is None else Path(tensorboard),
    )
