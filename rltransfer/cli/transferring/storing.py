"""The files of a finished transfer; the manifest goes last."""

from pathlib import Path

from rltransfer.cli.agents import MAPPING_FOLDER
from rltransfer.cli.transferring.attempted import Attempted
from rltransfer.cli.transferring.finished import RECORD
from rltransfer.cli.transferring.options import TransferOptions
from rltransfer.cli.transferring.picturing import draw
from rltransfer.cli.transferring.record import TransferRecord
from rltransfer.io import (
    Manifest,
    describe_space,
    installed_versions,
    write_json,
    write_manifest,
)
from rltransfer.translation import save_translation


def store(
    folder: Path, options: TransferOptions, best: Attempted, record: TransferRecord
) -> None:
    """Writes the mapping, the picture, the record and the manifest."""
    save_translation(folder / MAPPING_FOLDER, best.alignment.policy.translation)
    draw(folder / "transfer.png", options.target, best, record)
    write_json(folder / RECORD, record.as_json())
    write_manifest(
        folder,
        Manifest(
            verb="transfer",
            versions=installed_versions(),
            seeds={"transfer": options.seed},
            steps={
                **record.steps,
                "reported, not counted": record.reported_steps,
                "taken again after a stop": record.steps_taken_again,
            },
            spaces={
                "observation": describe_space(best.alignment.target.observation_space),
                "action": describe_space(best.alignment.target.action_space),
            },
            settings={
                "target": options.target.env_id,
                "target_kwargs": dict(options.target.kwargs),
                "source": str(best.actor.path.resolve()),
                "source_env": best.home.env_id,
                "source_kwargs": dict(best.home.kwargs),
                "source_sha256": best.actor.sha256,
                "budget": options.budget,
            },
            results={
                "accepted": record.accepted,
                "verdict": record.verdict,
                "resumed": record.resumed,
                "doubts": list(record.doubts),
            },
        ),
    )
