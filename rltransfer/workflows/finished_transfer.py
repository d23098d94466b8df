"""A transfer that was finished before, as its folder tells it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

from rich.console import RenderableType
from typing_extensions import override

from rltransfer.domain import Policy
from rltransfer.errors import ArtifactRefused
from rltransfer.io import copy_run, read_json
from rltransfer.report import Result
from rltransfer.report.tables import facts
from rltransfer.workflows.policy_loading import load_agent, load_transfer
from rltransfer.workflows.transfer_description import came_out
from rltransfer.workflows.transfer_result import RECORD


@final
@dataclass(frozen=True)
class FinishedTransfer(Result):
    """What a finished run says about itself; nothing was done."""

    folder: Path
    record: dict[str, Any]

    @classmethod
    def at(cls, folder: Path) -> "FinishedTransfer":
        """Returns the finished run in `folder`."""
        path = folder / RECORD
        reason = "the file is gone"
        if path.is_file():
            record = read_json(path)
            if isinstance(record, dict) and isinstance(record.get("verdict"), str):
                return cls(folder, record)
            reason = "it has no verdict"
        raise ArtifactRefused(
            f"{path} does not say what came of the transfer ({reason}); restore the "
            "file, or make the transfer again with the same options"
        )

    @property
    def accepted(self) -> bool | None:
        """Whether the mapping beats random with confidence; None: not tested."""
        accepted = self.record.get("accepted")
        return accepted if isinstance(accepted, bool) else None

    @property
    def policy(self) -> Policy:
        """Acts in the target as what came out; read from the folder."""
        folder = Path(came_out(self.folder))
        here = folder == self.folder
        return (load_transfer(folder) if here else load_agent(folder)).policy

    def save(self, path: str | Path) -> Path:
        """Copies the run's folder to `path`, which must not exist, and returns it."""
        return copy_run(self.folder, Path(path))

    @override
    def as_json(self) -> dict[str, Any]:
        """Returns the object that the run printed at its end."""
        return self.record

    @override
    def __rich__(self) -> RenderableType:
        """Returns that there was nothing to do, and the verdict."""
        return facts(
            [
                ("resume", "nothing to do, the run is finished"),
                ("verdict", self.record["verdict"]),
                ("run", self.folder),
            ]
        )
