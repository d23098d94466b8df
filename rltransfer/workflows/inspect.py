"""What is inside an agent's file or a transfer's folder, without running any of it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, final

from rich.console import Group, RenderableType
from rich.text import Text
from typing_extensions import override

from rltransfer.errors import ArtifactRefused, InputError, UserError
from rltransfer.report import Result
from rltransfer.report.tables import facts, plain_table
from rltransfer.workflows.policy_loading import (
    load_agent,
    opened_home,
    require_no_statistics,
)
from rltransfer.workflows.transfer_description import (
    TransferDescription,
    came_out,
    is_transfer,
)
from rltransfer_agents.loading import ArtifactDescription, describe_artifact
from rltransfer_agents.loading.agent_files import StatisticsChoice
from rltransfer_agents.loading.hub import is_on_hub
from rltransfer_agents.loading.refusal import printable


@final
@dataclass(frozen=True)
class AgentDescription(Result):
    """An agent's file as it describes itself."""

    description: ArtifactDescription
    verbs: Mapping[str, str]
    """As from `verb_support`."""
    verbose: bool = False

    @property
    def usable(self) -> bool:
        """Whether `evaluate` takes the agent, perhaps with `--env`."""
        return not self.verbs["evaluate"].startswith("no")

    @override
    def as_json(self) -> dict[str, Any]:
        """Returns all that is known, paths as text."""
        entries = asdict(self.description)
        entries |= {"usable": self.usable, "verbs": dict(self.verbs)}
        return {
            name: str(value) if isinstance(value, Path) else value
            for name, value in entries.items()
        }

    @override
    def __rich__(self) -> RenderableType:
        """Returns what is known, and what was refused and why."""
        about = self.description
        entries = {
            "kind": about.kind,
            **self.verbs,
            "algorithm": about.algorithm,
            "policy": about.policy_class,
            "environment": self._environment,
            "arguments": _listed(about.environment_kwargs),
            "wrappers": ", ".join(about.wrappers),
            "observations": about.observation_space,
            "actions": about.action_space,
            "network": " → ".join(about.network),
            "normalisation": about.normalisation,
            "statistics": about.statistics_path,
            "trained for": f"{about.steps:,} steps" if about.steps else None,
            "versions": ", ".join(f"{k} {v}" for k, v in about.versions.items()),
            "size": f"{about.size:,} bytes",
            "SHA-256": about.sha256,
            "ignored": ", ".join(about.ignored) if self.verbose else None,
            "note": "; ".join(about.notes),
        }
        parts: list[RenderableType] = [facts(entries.items())]
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


def _listed(kwargs: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={value}" for name, value in kwargs.items())


def inspect(
    path: str | Path,
    *,
    sha256: str | None = None,
    statistics: StatisticsChoice = None,
    verbose: bool = False,
) -> AgentDescription | TransferDescription:
    """Returns what is inside a file or folder, without running any of it.

    Args:
        path: a run folder, an RL Zoo folder, a zip, a bundle, statistics, or the folder
            of a transfer.
        sha256: the hash that the agent's file must have.
        statistics: of the agent, as for `load_agent`.
        verbose: whether the table lists the fields that are not read.

    Raises:
        InputError: there is nothing to inspect.
        ArtifactRefused: a manifest is damaged, or the hash is another.
    """
    refused: ArtifactRefused | None = None
    if is_on_hub(path):
        path = came_out(path)
    try:
        if not is_on_hub(path) and is_transfer(Path(path)):
            require_no_statistics(statistics, path)
            return TransferDescription.at(Path(path), sha256=sha256)
    except ArtifactRefused as fault:
        refused = fault
    try:
        description = describe_artifact(path, sha256=sha256, statistics=statistics)
    except InputError as fault:
        # An agent can be described without its manifest; a transfer is nothing else.
        raise refused or fault from None
    return AgentDescription(
        description, verb_support(path, description, statistics), verbose
    )


_FORMATS = ".safetensors, .npz, .onnx"
_OF_OTHERS = ".safetensors"


def verb_support(
    path: str | Path, description: ArtifactDescription, statistics: StatisticsChoice
) -> dict[str, str]:
    """Returns `yes` for each verb, or what it asks for; of `export` the formats.

    A refusal begins with `no`. Each verb is asked as far as it takes no step: the
    agent's environment is made for this, or the one that its old name suggests.

    Args:
        path: of the agent.
        description: what is known about it.
        statistics: as for `load_agent`.
    """
    exported = "no: its policy cannot be read"
    if description.network:
        is_vector = description.network[0] == "Vector"
        exported = _FORMATS if is_vector else _OF_OTHERS
    suggested = description.nearest_id
    yes = "yes" if suggested is None else f"with --env {suggested}"
    if description.network and description.environment_id is None and not suggested:
        yes = "with --env and the environment it was trained in"
        return {"evaluate": yes, "transfer": yes, "export": exported}

    def answer(mapped: bool) -> str:
        try:
            loaded = load_agent(path, env=suggested, statistics=statistics)
            with opened_home(loaded, mapped=mapped):
                return yes
        except UserError as fault:
            prefix = f"{printable(description.path)}: "
            return f"no: {str(fault).removeprefix(prefix)}"

    return {
        "evaluate": answer(mapped=False),
        "transfer": answer(mapped=True),
        "export": exported,
    }
