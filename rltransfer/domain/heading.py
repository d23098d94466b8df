"""The first page of a journal: which run it is of, and what that run was made with."""

import platform
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from rltransfer.domain.sealing import read_sealed
from rltransfer.errors import ArtifactRefused
from rltransfer.io import installed_versions, storage_faults

REQUEST = "request.json"
FORMAT = 1


def surroundings() -> dict[str, str]:
    """Returns what the last bits of a fit depend on, besides seeds."""
    vector = torch.backends.cpu.get_cpu_capability()
    return {
        **installed_versions(),
        "processor": f"{platform.machine()} {vector}",
    }


def remove_journal(folder: Path) -> None:
    """Removes the journal of a run that is finished, if it is still there."""
    with storage_faults(folder):
        if folder.exists():
            shutil.rmtree(folder)


def is_journal(folder: Path) -> bool:
    """Returns whether a run left its journal in `folder`."""
    return (folder / REQUEST).is_file()


def read_request(folder: Path) -> dict[str, Any]:
    """Returns what the journal in `folder` says about its run.

    Its key `request` holds what the run was asked for.
    """
    path = folder / REQUEST
    written = read_sealed(path)
    if written.get("format") != FORMAT:
        raise ArtifactRefused(
            f"{path} has format {written.get('format')!r}, this version reads "
            f"{FORMAT}; use the version of rltransfer that wrote it"
        )
    return written


def require_same(path: Path, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Raises unless what `path` said `before` is so `now`."""
    ours, theirs = _leaves(now), _leaves(before)
    for name in sorted({*ours, *theirs}):
        if ours.get(name) != theirs.get(name):
            raise ArtifactRefused(
                f"a run goes on with what it was begun with, {path} has "
                f"{name}={theirs.get(name)!r} and now it is {ours.get(name)!r}; go on "
                "with the same options and version, or start a new run"
            )


def _leaves(value: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    leaves: dict[str, Any] = {}
    for name, part in value.items():
        inner = isinstance(part, Mapping) and len(part)
        leaves |= _leaves(part, f"{prefix}{name}.") if inner else {prefix + name: part}
    return leaves
