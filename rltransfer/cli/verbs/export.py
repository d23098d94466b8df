"""`rltransfer export`: an agent for machines that have neither torch nor us."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, final

import typer
from rich.console import RenderableType

from rltransfer.cli.options import Json
from rltransfer.cli.tables import facts


@final
@dataclass(frozen=True)
class Exported:
    """A file that was written and compared with its original."""

    agent: Path
    written: Path

    def as_json(self) -> dict[str, Any]:
        """Returns both paths."""
        return {"agent": str(self.agent), "written": str(self.written)}

    def as_table(self) -> RenderableType:
        """Returns both paths, and that they agree."""
        return facts(
            [
                ("agent", str(self.agent)),
                ("written", str(self.written)),
                ("checked", "equal to the agent on random observations"),
            ]
        )


def export(
    agent: Annotated[Path, typer.Argument(help="Run folder, RL Zoo folder or zip.")],
    to: Annotated[
        Path,
        typer.Argument(
            help="File to write: .safetensors (bundle), .npz (NumPy alone) or .onnx."
        ),
    ],
    sha256: Annotated[
        str | None, typer.Option("--sha256", help="Hash the agent's file must have.")
    ] = None,
    json: Json = False,
) -> Exported:
    """Write an agent as a safe bundle, as NumPy arrays or as ONNX."""
    del json  # what prints the outcome knows
    from rltransfer_agents.export import export_agent

    return Exported(agent, export_agent(agent, to, sha256=sha256))
