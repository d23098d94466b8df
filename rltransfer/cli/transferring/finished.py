"""A transfer that had come to its end before."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

from rich.console import RenderableType

from rltransfer.cli.tables import facts
from rltransfer.files import read_json

RECORD = "transfer.json"


@final
@dataclass(frozen=True)
class FinishedTransfer:
    """What a finished run says about itself; nothing was done."""

    folder: Path
    record: dict[str, Any]

    @classmethod
    def at(cls, folder: Path) -> "FinishedTransfer":
        """Returns the finished run in `folder`."""
        return cls(folder, read_json(folder / RECORD))

    def as_json(self) -> dict[str, Any]:
        """Returns the object that the run printed at its end."""
        return self.record

    def as_table(self) -> RenderableType:
        """Returns that there was nothing to do, and the verdict."""
        return facts(
            [
                ("resume", "nothing to do, the run is finished"),
                ("verdict", self.record["verdict"]),
                ("run", str(self.folder)),
            ]
        )
