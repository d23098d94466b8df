"""What the folder of a transfer says about itself: its manifest and its mapping."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, ClassVar, final

from pydantic import ConfigDict, TypeAdapter, ValidationError
from rich.console import RenderableType
from typing_extensions import override

from rltransfer.io import (
    MANIFEST_NAME,
    FirstError,
    Manifest,
    changed_files,
    read_manifest,
    sha256_of,
)
from rltransfer.report.tables import Result, facts, steps_by_purpose
from rltransfer.workflows.environments import EnvironmentChoice
from rltransfer_agents.loading import limits
from rltransfer_agents.loading.agent_loading import require_digest
from rltransfer_agents.loading.refusal import Refusal, printable, refusals_about

MAPPING_FOLDER = "mapping"
"""Within a transfer's run folder."""
SOURCE_FOLDER, SOURCE_BUNDLE = "source", "source/agent.safetensors"
"""What it acts through: another transfer, or an agent."""


_DIGEST = re.compile(r"[0-9a-f]{64}")
_MOST_STEPS = 10**15
_LONGEST_NAME = 200
# As the manifest of a transfer has them.
REPORTED, AGAIN = "reported, not counted", "taken again after a stop"


@final
@dataclass(frozen=True)
class TransferSettings:
    """The settings in the manifest of a transfer, of the right types."""

    __pydantic_config__: ClassVar[ConfigDict] = {"extra": "forbid"}

    target: str
    target_kwargs: dict[str, Any]
    source: str
    """Where the agent lay; it acts through what its folder holds."""
    source_env: str
    source_kwargs: dict[str, Any]
    source_sha256: str
    budget: int
    source_statistics: str | None = None
    """What was named for the agent with `--statistics`."""

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> "TransferSettings":
        """Returns settings that were read, or raises."""
        try:
            return _ADAPTER.validate_python(dict(settings))
        except ValidationError as fault:
            where = FirstError.of(fault).where
            raise Refusal(
                "manifest", f"its settings are not of a transfer ({where})"
            ) from fault

    @property
    def target_environment(self) -> EnvironmentChoice:
        """Where it acts, as recorded: not for use without a check."""
        return EnvironmentChoice(self.target, self.target_kwargs)

    @property
    def source_environment(self) -> EnvironmentChoice:
        """Where its agent was trained, as recorded."""
        return EnvironmentChoice(self.source_env, self.source_kwargs)


_ADAPTER = TypeAdapter(TransferSettings)


@final
@dataclass(frozen=True)
class TransferDescription(Result):
    """A finished transfer as its manifest describes it."""

    path: Path
    settings: TransferSettings
    manifest: Manifest
    changed: tuple[str, ...]
    """Files of the mapping that are not as the manifest has them."""

    @classmethod
    def at(cls, path: Path, *, sha256: str | None = None) -> "TransferDescription":
        """Returns what the transfer at `path` says, whatever it was made between.

        Args:
            path: of its run folder.
            sha256: what the file of the agent it acts through must have had.

        Raises:
            ArtifactRefused: the manifest is damaged, or of another run.
        """
        manifest = read_manifest(path)
        with refusals_about(printable(path / MANIFEST_NAME)):
            settings = TransferSettings.of(manifest.settings)
            _require_complete(manifest, settings)
            require_digest(settings.source_sha256, sha256)
        mapping = Manifest(**{**vars(manifest), "files": _mapping_files(manifest)})
        return cls(path, settings, manifest, tuple(changed_files(path, mapping)))

    @property
    def mapping_sha256(self) -> str:
        """Of the lines that `sha256sum` prints about the files of the mapping."""
        files = sorted(_mapping_files(self.manifest).items())
        lines = "".join(f"{digest}  {name}\n" for name, digest in files)
        return sha256_of(lines.encode())

    @property
    def steps(self) -> dict[str, int]:
        """Counted target steps by purpose."""
        steps = self.manifest.steps.items()
        return {name: count for name, count in steps if name not in (REPORTED, AGAIN)}

    @override
    def as_json(self) -> dict[str, Any]:
        """Returns all that is known, paths as text."""
        settings, results = self.settings, self.manifest.results
        return {
            "kind": "transfer",
            "path": str(self.path),
            "source": settings.source,
            "source_sha256": settings.source_sha256,
            "source_env": settings.source_env,
            "source_kwargs": settings.source_kwargs,
            "target": settings.target,
            "target_kwargs": settings.target_kwargs,
            "accepted": results["accepted"],
            "verdict": results["verdict"],
            "budget": settings.budget,
            "target_steps": sum(self.steps.values()),
            "steps": self.steps,
            "reported_steps": self.manifest.steps.get(REPORTED, 0),
            "steps_taken_again": self.manifest.steps.get(AGAIN, 0),
            "seeds": self.manifest.seeds,
            "spaces": self.manifest.spaces,
            "mapping_sha256": self.mapping_sha256,
            "changed": list(self.changed),
            "versions": self.manifest.versions,
        }

    @override
    def __rich__(self) -> RenderableType:
        """Returns the same in words."""
        settings, manifest = self.settings, self.manifest
        gone = "" if (self.path / SOURCE_FOLDER).exists() else " (gone: put it back)"
        entries = {
            "kind": "transfer",
            "source": f"{settings.source}{gone}",
            "SHA-256": settings.source_sha256,
            "at home in": settings.source_environment.title,
            "target": settings.target_environment.title,
            "verdict": manifest.results["verdict"],
            "target steps": f"{sum(self.steps.values()):,} of {settings.budget:,}: "
            + steps_by_purpose(self.steps),
            "observations": _space_text(manifest.spaces.get("observation", {})),
            "actions": _space_text(manifest.spaces.get("action", {})),
            "mapping hash": self.mapping_sha256,
            "changed": ", ".join(self.changed),
            "versions": ", ".join(f"{k} {v}" for k, v in manifest.versions.items()),
        }
        return facts(
            [(name, printable(text)) for name, text in entries.items() if text]
        )


def _require_complete(manifest: Manifest, settings: TransferSettings) -> None:
    """Raises where an entry that is shown is missing or of the wrong kind."""
    results = manifest.results
    if not isinstance(results.get("accepted"), bool):
        raise Refusal("manifest", "its results must say whether it was accepted")
    if not isinstance(results.get("verdict"), str):
        raise Refusal("manifest", "its results must hold a verdict")
    if not _DIGEST.fullmatch(settings.source_sha256):
        raise Refusal("manifest", "its agent must have a SHA-256 of 64 digits")
    files = _mapping_files(manifest)
    if not files or not all(map(_is_plain, files)):
        raise Refusal("manifest", f"it must list plain files in {MAPPING_FOLDER}")
    if not all(map(_DIGEST.fullmatch, files.values())):
        raise Refusal("manifest", "its files must have SHA-256s of 64 digits")
    for count in (*manifest.steps.values(), settings.budget):
        if not 0 <= count <= _MOST_STEPS:
            raise Refusal("manifest", f"its steps must lie in 0..{_MOST_STEPS}")
    for value in (manifest.spaces, settings.source_kwargs, settings.target_kwargs):
        _require_shallow(value)


def _require_shallow(value: object, depth: int = 0) -> None:
    # Whoever prints a value recurses once per bracket.
    if depth > limits.JSON_DEPTH:
        raise Refusal("manifest", f"it may nest {limits.JSON_DEPTH} values")
    parts = value.values() if isinstance(value, dict) else value
    if isinstance(parts, Iterable) and not isinstance(parts, str):
        for part in parts:
            _require_shallow(part, depth + 1)


def _is_plain(name: str) -> bool:
    return name.isascii() and name.isprintable() and len(name) <= _LONGEST_NAME


def _mapping_files(manifest: Manifest) -> dict[str, str]:
    """Returns the hashes of a mapping's files; names that lead elsewhere are none."""
    return {
        name: digest
        for name, digest in manifest.files.items()
        if (parts := PurePosixPath(name).parts)[:1] == (MAPPING_FOLDER,)
        and ".." not in parts
    }


def _space_text(space: dict[str, Any]) -> str:
    kind, shape = space.get("kind", "unknown"), space.get("shape")
    size = tuple(shape) if isinstance(shape, list) else f"({space.get('n', '')})"
    return str(space["text"]) if "text" in space else f"{kind}{size}"
