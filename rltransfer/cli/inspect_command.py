"""`rltransfer inspect`: what is inside a file, without running it."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, final

import typer
from rich.console import Group, RenderableType
from rich.text import Text

from rltransfer.cli.options import Json
from rltransfer.cli.session import Outcome
from rltransfer.errors import ArtifactRefused, InputError
from rltransfer.report.tables import facts, plain_table

if TYPE_CHECKING:
    from rltransfer_agents.loading import ArtifactDescription


@final
@dataclass(frozen=True)
class Inspected:
    """A file as it describes itself."""

    description: "ArtifactDescription"

    def as_json(self) -> dict[str, Any]:
        """Returns all that is known, paths as text."""
        entries = asdict(self.description) | {"usable": self.description.usable}
        return {
            name: str(value) if isinstance(value, Path) else value
            for name, value in entries.items()
        }

    def as_table(self) -> RenderableType:
        """Returns what is known, and what was refused and why."""
        about = self.description
        told = {
            "kind": about.kind,
            "usable": "yes" if about.usable else "no",
            "algorithm": about.algorithm,
            "policy": about.policy_class,
            "environment": self._environment,
            "observations": about.observation_space,
            "actions": about.action_space,
            "network": " → ".join(about.network),
            "normalisation": about.normalisation,
            "trained for": f"{about.steps:,} steps" if about.steps else None,
            "versions": ", ".join(f"{k} {v}" for k, v in about.versions.items()),
            "size": f"{about.size:,} bytes",
            "SHA-256": about.sha256,
            "ignored": ", ".join(about.ignored),
        }
        parts: list[RenderableType] = [
            facts([(name, str(value)) for name, value in told.items() if value])
        ]
        if about.refused:
            table = plain_table("refused", "code", "reason")
            for refused in about.refused:
                # As texts: brackets in a reason are no markup.
                table.add_row(*map(Text, (refused.part, refused.code, refused.reason)))
            parts.append(table)
        return Group(*parts)

    @property
    def _environment(self) -> str | None:
        about = self.description
        if about.environment is None or about.environment_id is not None:
            return about.environment_id
        nearest = f"; nearest: {about.nearest_id}" if about.nearest_id else ""
        return f"{about.environment} (not registered{nearest})"


def inspect(
    path: Annotated[
        Path,
        typer.Argument(
            help="Run folder, RL Zoo folder, zip, bundle, statistics or transfer."
        ),
    ],
    sha256: Annotated[
        str | None, typer.Option("--sha256", help="Hash the agent's file must have.")
    ] = None,
    json: Json = False,
) -> Outcome:
    """Say what is inside a file or folder, without running any of it."""
    del json  # what prints the outcome knows
    from rltransfer.workflows.source_agents import is_transfer
    from rltransfer.workflows.transfer_description import InspectedTransfer
    from rltransfer_agents.loading import describe_artifact

    try:
        if is_transfer(path):
            return InspectedTransfer.at(path, sha256=sha256)
    except ArtifactRefused as fault:
        # An agent can be described without its manifest; a transfer is nothing else.
        try:
            return Inspected(describe_artifact(path, sha256=sha256))
        except InputError:
            raise fault from None
    return Inspected(describe_artifact(path, sha256=sha256))
