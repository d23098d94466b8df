"""The manifest: what a finished run was, and the SHA-256 of all it left."""

import platform
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, ClassVar, final

from pydantic import ConfigDict, TypeAdapter, ValidationError

from rltransfer.errors import ArtifactRefused
from rltransfer.io.atomic_files import write_json
from rltransfer.io.strict_json import FirstError, read_json, sha256_of

_PACKAGES = (
    "rltransfer",
    "gymnasium",
    "numpy",
    "stable-baselines3",
    "torch",
    "box2d",
    "mujoco",
)


def installed_versions() -> dict[str, str]:
    """Returns the versions of Python and of the packages that shape results."""
    return {"python": platform.python_version(), **dict(_installed())}


@cache
def _installed() -> tuple[tuple[str, str], ...]:
    # Looked up once: it takes milliseconds, and snapshots ask for it often.
    found = []
    for package in _PACKAGES:
        # An extra that is not installed had no part in the run.
        with suppress(PackageNotFoundError):
            found.append((package, version(package)))
    return tuple(found)


MANIFEST_NAME = "manifest.json"
FORMAT = 1


@final
@dataclass(frozen=True)
class Manifest:
    """What has to be known to repeat a run and to trust its files."""

    __pydantic_config__: ClassVar[ConfigDict] = {"extra": "forbid"}

    verb: str
    """The command that made it, such as `train-source`."""
    versions: dict[str, str]
    seeds: dict[str, int]
    steps: dict[str, int]
    """Environment steps taken, by purpose."""
    spaces: dict[str, dict[str, Any]] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)
    results: dict[str, Any] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    """SHA-256 of every file, by its path in the folder."""
    format: int = FORMAT


_ADAPTER = TypeAdapter(Manifest)


def write_manifest(folder: Path, manifest: Manifest) -> Manifest:
    """Writes the manifest with the hashes of all other files, and returns it."""
    files = {name: sha256_of(folder / name) for name in _file_names(folder)}
    complete = Manifest(**{**vars(manifest), "files": files})
    write_json(folder / MANIFEST_NAME, asdict(complete))
    return complete


def read_manifest(folder: Path) -> Manifest:
    """Returns a run's manifest; refuses one that is missing, damaged or foreign."""
    path = folder / MANIFEST_NAME
    if not path.is_file():
        raise ArtifactRefused(
            f"{folder} has no {MANIFEST_NAME}, which every finished run has; "
            "finish the run with --resume or name another folder"
        )
    value = read_json(path)
    version = value.get("format") if isinstance(value, dict) else None
    if version != FORMAT:
        raise ArtifactRefused(
            f"{path} has format {version!r}, this version reads {FORMAT}; "
            "use the version of rltransfer that wrote it"
        )
    try:
        return _ADAPTER.validate_python(value)
    except ValidationError as fault:
        raise ArtifactRefused(
            f"{path} is no manifest ({FirstError.of(fault)}); restore the file"
        ) from fault


def read_manifest_of(folder: Path, verb: str) -> Manifest:
    """Returns the manifest of a run of `verb`; refuses one of another command."""
    manifest = read_manifest(folder)
    if manifest.verb != verb:
        raise ArtifactRefused(
            f"{folder / MANIFEST_NAME} must be of a run of {verb}, got one of "
            f"{manifest.verb!r}; restore the file or name another folder"
        )
    return manifest


def changed_files(folder: Path, manifest: Manifest) -> list[str]:
    """Returns the names of files that are missing or differ from the manifest."""
    return [
        name
        for name, digest in manifest.files.items()
        if not (folder / name).is_file() or sha256_of(folder / name) != digest
    ]


def _file_names(folder: Path) -> list[str]:
    # Hidden files are locks and drafts, not results.
    return sorted(
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file()
        and path != folder / MANIFEST_NAME
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )
