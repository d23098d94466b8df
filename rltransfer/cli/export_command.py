"""`rltransfer export`: an agent for machines that have neither torch nor us."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, final

import typer
from rich.console import RenderableType

from rltransfer.cli.options import Json
from rltransfer.errors import InputError
from rltransfer.report.tables import facts

_MAPPED_SUFFIX = ".onnx"


@final
@dataclass(frozen=True)
class Exported:
    """A file that was written and compared with its original."""

    agent: Path
    written: tuple[Path, ...]
    """Every file, the policy first."""
    checked: str
    """In what it was found to agree with its original."""

    def as_json(self) -> dict[str, Any]:
        """Returns both paths."""
        files = [str(path) for path in self.written]
        return {"agent": str(self.agent), "written": files[0], "files": files}

    def as_table(self) -> RenderableType:
        """Returns both paths, and in what they agree."""
        return facts(
            [
                ("agent", str(self.agent)),
                *(("written", str(path)) for path in self.written),
                ("checked", self.checked),
            ]
        )


def export(
    agent: Annotated[
        Path, typer.Argument(help="Run folder, RL Zoo folder, zip, or transfer.")
    ],
    to: Annotated[
        Path,
        typer.Argument(
            help="File to write: .safetensors (bundle), .npz (NumPy alone) or .onnx; "
            "a transfer: .onnx."
        ),
    ],
    sha256: Annotated[
        str | None, typer.Option("--sha256", help="Hash the agent's file must have.")
    ] = None,
    env: Annotated[
        str | None,
        typer.Option(
            "--env",
            metavar="ID",
            help="Of a transfer, where its environments are registered by a module.",
        ),
    ] = None,
    json: Json = False,
) -> Exported:
    """Write an agent as a bundle, NumPy arrays or ONNX; a transfer as ONNX."""
    del json  # what prints the outcome knows
    _require_writable(to)
    from rltransfer.workflows.source_agents import is_transfer
    from rltransfer_agents.export import export_agent

    if is_transfer(agent):
        return _export_transfer(agent, to, sha256, env)
    if env is not None:
        raise InputError(
            f"--env is for transfers, {agent} is none; leave it out, an agent is "
            "written without its environment"
        )
    written = export_agent(agent, to, sha256=sha256)
    return Exported(agent, written, "equal to the agent on random observations")


def _require_writable(to: Path) -> None:
    """Raises where a file could not be written in the end, before there is any work."""
    folder = to.parent
    if to.is_dir():
        raise InputError(
            f"an agent is written to a file, {to} is a folder; name a file in it"
        )
    if not folder.is_dir():
        kind = "is a file" if folder.exists() else "does not exist"
        raise InputError(
            f"the folder of the file to write must exist, {folder} {kind}; make it "
            "first or name another"
        )
    if not os.access(folder, os.W_OK | os.X_OK):
        raise InputError(
            f"the folder of the file to write must be writable, {folder} is not; "
            "change its permissions or name another"
        )


def _export_transfer(
    path: Path, to: Path, sha256: str | None, env: str | None
) -> Exported:
    from rltransfer.io import MANIFEST_NAME, read_manifest
    from rltransfer.translation import MappedPolicy
    from rltransfer.workflows.source_agents import is_transfer, load_policy
    from rltransfer.workflows.transfer_folder import TransferSettings
    from rltransfer_agents.export import EQUAL_SHARE, export_mapped_onnx
    from rltransfer_agents.loading.refusal import printable, refusals_about

    with refusals_about(printable(path / MANIFEST_NAME)):
        source = TransferSettings.of(read_manifest(path).settings).agent
    if to.suffix != _MAPPED_SUFFIX:
        raise InputError(
            f"a mapped policy is written as {_MAPPED_SUFFIX}, got {to}; rename it, or "
            f"export the source agent for .npz or a bundle: {printable(source)}"
        )
    if is_transfer(source):
        raise InputError(
            f"a mapped policy can be written where its source is an agent, {path} was "
            f"made from the transfer {printable(source)}; make one from the agent "
            "itself"
        )
    loaded = load_policy(path, env_id=env, sha256=sha256)
    assert isinstance(loaded.policy, MappedPolicy)
    written = export_mapped_onnx(loaded.policy, loaded.action_space, to)
    share = f"{EQUAL_SHARE:.0%} or more of random observations"
    return Exported(path, written, f"acts as the transfer does on {share}")
