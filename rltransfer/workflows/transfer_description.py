"""What the folder of a transfer says about itself: its manifest and its mapping."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, ClassVar, final

from pydantic import ConfigDict, Field, StrictBool, TypeAdapter, ValidationError
from rich.console import RenderableType
from typing_extensions import override

from rltransfer.errors import InputError
from rltransfer.io import (
    MANIFEST_NAME,
    FirstError,
    Manifest,
    changed_files,
    read_manifest,
    sha256_of,
)
from rltransfer.report import Result
from rltransfer.report.tables import facts, steps_by_purpose
from rltransfer.workflows.environments import EnvironmentChoice
from rltransfer_agents.loading.agent_loading import require_digest
from rltransfer_agents.loading.hub import fetch_transfer, is_on_hub
from rltransfer_agents.loading.refusal import Refusal, printable, refusals_about

MAPPING_FOLDER = "mapping"
"""Within a transfer's run folder."""
SOURCE_FOLDER, SOURCE_BUNDLE = "source", "source/agent.safetensors"
"""What it acts through: another transfer, or an agent."""
STUDENT_FOLDER = "student"
"""What RL Zoo would write of the model that came out of learning on."""


def is_transfer(path: Path) -> bool:
    """Tells whether a finished transfer lies at `path`.

    Raises:
        ArtifactRefused: there is a manifest, and it cannot be read.
    """
    # Not of `Path`: paths out of files may be too long, or lead where one may not look.
    return (
        os.path.isfile(path / MANIFEST_NAME) and read_manifest(path).verb == "transfer"
    )


def came_out(path: str | Path) -> str | Path:
    """Returns the folder of the student, where one came out of the transfer at `path`.

    Of a repository of the hub that holds a mapped policy, returns the folder of its
    transfer in the cache. Anything else is returned as it is.

    Raises:
        InputError: the student is gone, or nothing can be fetched.
        ArtifactRefused: there is a manifest, and it cannot be read.
    """
    if is_on_hub(path):
        return fetch_transfer(path) or path
    if not is_transfer(Path(path)):
        return path
    winner = read_manifest(Path(path)).results.get("winner")
    if winner not in ("student", "scratch"):
        return path
    found = [run for run in Path(path, STUDENT_FOLDER).glob("*/*") if run.is_dir()]
    if len(found) != 1:
        raise InputError(
            f"{printable(path)} acts as the student inside it, and "
            f"{printable(Path(path, STUDENT_FOLDER))} holds {len(found)}: put it back, "
            "or make the transfer again"
        )
    return found[0]


_Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
_LONGEST_TEXT = 80
_PlainName = Annotated[str, Field(pattern=r"^[ -~]{1,200}$")]
_Count = Annotated[int, Field(ge=0, le=10**15)]
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
    source_sha256: _Digest
    budget: _Count
    source_statistics: str | None = None
    """What was named for the agent with `--statistics`."""
    target_data: dict[str, Any] | None = None
    """Where logged steps of the target are from, with their hash; None without."""
    source_data: dict[str, Any] | None = None
    """Likewise of the source's environment."""
    hyperparams: dict[str, Any] = field(default_factory=dict)
    """What replaced values of `AlignConfig`; runs of earlier versions do not say."""
    learning: dict[str, Any] | None = None
    """How it was to learn on in the target; None where it was not."""

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> "TransferSettings":
        """Returns settings that were read, or raises."""
        read: TransferSettings = _valid(_SETTINGS, settings, "settings")
        return read


@final
@dataclass(frozen=True)
class _Results:
    """The results in the manifest of a transfer, as far as they are shown."""

    accepted: StrictBool | None
    verdict: str


_SETTINGS, _RESULTS = TypeAdapter(TransferSettings), TypeAdapter(_Results)
_STEPS, _FILES = TypeAdapter(dict[str, _Count]), TypeAdapter(dict[_PlainName, _Digest])


def _valid(adapter: Any, value: object, what: str) -> Any:
    try:
        return adapter.validate_python(value)
    except ValidationError as fault:
        first = FirstError.of(fault)
        where = first.where[:_LONGEST_TEXT]  # may hold names out of the file
        raise Refusal(
            "manifest", f"its {what} are not of a transfer ({where}: {first.message})"
        ) from fault


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
            _valid(_RESULTS, manifest.results, "results")
            _valid(_STEPS, manifest.steps, "steps")
            files = _valid(_FILES, _mapping_files(manifest), "files")
            if not files:
                raise Refusal("manifest", f"it lists no files in {MAPPING_FOLDER}")
            require_digest(settings.source_sha256, sha256)
        mapping = replace(manifest, files=files)
        return cls(path, settings, manifest, tuple(changed_files(path, mapping)))

    @property
    def mapping_sha256(self) -> str:
        """Of the lines that `sha256sum` prints about the files of the mapping."""
        return digest_of(_mapping_files(self.manifest))

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
            "winner": results.get("winner"),
            "target_data": settings.target_data,
            "source_data": settings.source_data,
            "learning": settings.learning,
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
            "at home in": EnvironmentChoice(
                settings.source_env, settings.source_kwargs
            ).title,
            "target": EnvironmentChoice(settings.target, settings.target_kwargs).title,
            "verdict": manifest.results["verdict"],
            "came out": manifest.results.get("winner") or "",
            "target steps": f"{sum(self.steps.values()):,} of {settings.budget:,}: "
            + steps_by_purpose(self.steps)
            if settings.budget
            else "none",
            "logged steps": _log_text(settings.target_data),
            "logged in source": _log_text(settings.source_data),
            "observations": _space_text(manifest.spaces.get("observation", {})),
            "actions": _space_text(manifest.spaces.get("action", {})),
            "mapping hash": self.mapping_sha256,
            "changed": ", ".join(self.changed),
            "versions": ", ".join(f"{k} {v}" for k, v in manifest.versions.items()),
        }
        return facts((name, printable(text)) for name, text in entries.items())


def _log_text(log: Mapping[str, Any] | None) -> str:
    """Returns where logged steps are from; a record that holds more is not shown."""
    if log is None:
        return ""
    return (
        f"{log.get('used_steps')} of {log.get('origin')} (SHA-256 {log.get('sha256')})"
    )


def digest_of(files: Mapping[str, str]) -> str:
    """Returns one hash of files, from the hash of each by its name."""
    lines = "".join(f"{digest}  {name}\n" for name, digest in sorted(files.items()))
    return sha256_of(lines.encode())


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
