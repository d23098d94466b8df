"""A transfer that had come to its end before."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, final

from pydantic import AfterValidator, TypeAdapter, ValidationError
from rich.console import RenderableType

from rltransfer.cli.tables import facts
from rltransfer.errors import ArtifactRefused
from rltransfer.io import read_json

RECORD = "transfer.json"


def _with_verdict(record: dict[str, Any]) -> dict[str, Any]:
    if not isinstance(record.get("verdict"), str):
        raise ValueError("it has no verdict")
    return record


_ADAPTER: TypeAdapter[dict[str, Any]] = TypeAdapter(
    Annotated[dict[str, Any], AfterValidator(_with_verdict)]
)


@final
@dataclass(frozen=True)
class FinishedTransfer:
    """What a finished run says about itself; nothing was done."""

    folder: Path
    record: dict[str, Any]

    @classmethod
    def at(cls, folder: Path) -> "FinishedTransfer":
        """Returns the finished run in `folder`."""
        path = folder / RECORD
        if not path.is_file():
            raise _refusal(path, "the file is gone")
        try:
            return cls(folder, _ADAPTER.validate_python(read_json(path)))
        except ValidationError as fault:
            raise _refusal(path, fault.errors()[0]["msg"]) from fault

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


def _refusal(path: Path, reason: str) -> ArtifactRefused:
    return ArtifactRefused(
        f"{path} does not tell what came of the transfer ({reason}); restore the file, "
        "or make the transfer again with the same options"
    )
