"""Networks on disk: numbers as safetensors, the rest as JSON, all of it hashed."""

import hashlib
import json
import platform
from pathlib import Path
from typing import Any, TypeVar

import safetensors
import safetensors.torch
import torch
from torch import Tensor

import rltransfer
from rltransfer.errors import ArtifactRefused
from rltransfer.io import (
    make_folder,
    read_json,
    storage_faults,
    write_atomically,
    write_json,
)
from rltransfer.mapping.domain_mapping import DomainMapping
from rltransfer.mapping.networks import Network, describe, network_of
from rltransfer.mapping.stacking import Stackable

MANIFEST = "manifest.json"
NUMBERS = "numbers.safetensors"
DESCRIPTION = "network.json"
DOMAIN_MAPPING = "domain-mapping"
"""Names a `DomainMapping`, which is no network, among the architectures."""


def manifest_of(files: dict[str, bytes]) -> bytes:
    """Returns the manifest that vouches for these files.

    Compared as bytes, so that it needs no reading and no change in it goes unseen.
    """
    hashes = {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
    manifest = {"format": "rltransfer-network", "format_version": 1, "sha256": hashes}
    return f"{json.dumps(manifest, indent=2, sort_keys=True)}\n".encode()


def refused(folder: Path, reason: str) -> ArtifactRefused:
    """Returns the error that says why `folder` cannot be loaded."""
    return ArtifactRefused(
        f"{folder} cannot be loaded as a network: {reason}; restore it or save it anew"
    )


def save_network(
    folder: Path, network: Network | DomainMapping, about: dict[str, Any] | None = None
) -> None:
    """Writes `network` into `folder`, which is made where it is missing.

    The manifest goes last: a crash on the way leaves a folder that is refused, never
    one that is half of one network and half of another.

    Args:
        folder: holds this network; files of an older one are replaced.
        network: a network or a mapping, plain or a stack.
        about: what else belongs to it, as JSON: seeds, spaces, step counts.
    """
    numbers = {name: value.contiguous() for name, value in network.state_dict().items()}
    unfit = [name for name, value in numbers.items() if not value.isfinite().all()]
    if unfit:
        raise ValueError(f"only finite numbers are stored; {unfit} are not; fit anew")
    make_folder(folder)
    write_atomically(folder / NUMBERS, safetensors.torch.save(numbers))
    description = {
        "architecture": _describe(network),
        "about": about or {},
        "versions": {
            "rltransfer": rltransfer.__version__,
            "torch": torch.__version__,
            "python": platform.python_version(),
        },
    }
    write_json(folder / DESCRIPTION, description)
    files = {name: (folder / name).read_bytes() for name in (NUMBERS, DESCRIPTION)}
    write_atomically(folder / MANIFEST, manifest_of(files))


def _describe(network: Network | DomainMapping) -> dict[str, Any]:
    if isinstance(network, DomainMapping):
        return {"network": DOMAIN_MAPPING} | network.settings
    return describe(network)


_LONGEST_DESCRIPTION = 1 << 16

S = TypeVar("S", bound=Stackable)


def load_network(folder: Path, kind: type[S]) -> S:
    """Returns the network stored in `folder`.

    Args:
        folder: what `save_network` wrote to.
        kind: what it must be: a class of network, `Network` for any, `DomainMapping`.
    """
    numbers, description = _checked(folder)
    try:
        # Shapes cost nothing here, so that an absurd one is seen before it is made.
        with torch.device("meta"):
            network = _build(description["architecture"])
    # Whatever a wrong description makes of a constructor: bad keys, sizes or types.
    except (ArithmeticError, LookupError, RuntimeError, TypeError, ValueError) as fault:
        raise refused(folder, f"it describes no network we know ({fault})") from fault
    if not isinstance(network, kind):
        found = type(network).__name__
        raise refused(folder, f"it holds a {found}, not a {kind.__name__}")
    _require_fit(folder, numbers, network.state_dict())
    network.load_state_dict(numbers, assign=True)
    return network


def load_about(folder: Path) -> dict[str, Any]:
    """Returns what was stored with the network in `folder`: `about` and `versions`."""
    description = _checked(folder)[1]
    return {name: description[name] for name in ("about", "versions")}


def _checked(folder: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Returns what `folder` holds, once its hashes and its form are right."""
    files = {name: _read(folder, name) for name in (NUMBERS, DESCRIPTION)}
    manifest = _read(folder, MANIFEST)
    for name, data in files.items():
        if hashlib.sha256(data).hexdigest().encode() not in manifest:
            raise refused(folder, f"{name} is not the file that {MANIFEST} vouches for")
    if manifest != manifest_of(files):
        raise refused(folder, f"{MANIFEST} is damaged or of another format")
    description = read_json(folder / DESCRIPTION)
    names = {"architecture", "about", "versions"}
    if not isinstance(description, dict) or description.keys() != names:
        raise refused(folder, f"{DESCRIPTION} needs {sorted(names)} and nothing else")
    try:
        numbers = safetensors.torch.load(files[NUMBERS])
    except safetensors.SafetensorError as fault:
        raise refused(folder, f"{NUMBERS} is not safetensors ({fault})") from fault
    return numbers, description


def _read(folder: Path, name: str) -> bytes:
    path = folder / name
    if not path.is_file():
        raise refused(folder, f"{name} is missing")
    if name != NUMBERS and path.stat().st_size > _LONGEST_DESCRIPTION:
        raise refused(folder, f"{name} is longer than {_LONGEST_DESCRIPTION} bytes")
    with storage_faults(path):
        return path.read_bytes()


def _require_fit(
    folder: Path, numbers: dict[str, Tensor], wanted: dict[str, Tensor]
) -> None:
    found = {name: (tuple(x.shape), x.dtype) for name, x in numbers.items()}
    fit = {name: (tuple(x.shape), torch.float32) for name, x in wanted.items()}
    off = {
        name for name in found.keys() | fit.keys() if found.get(name) != fit.get(name)
    }
    if off:
        name = min(off)
        raise refused(
            folder, f"{name} must be {fit.get(name)}, but it is {found.get(name)}"
        )
    for name, value in numbers.items():
        if not value.isfinite().all():
            raise refused(folder, f"{name} has numbers that are not finite")


def _build(description: dict[str, Any]) -> Stackable:
    if description["network"] == DOMAIN_MAPPING:
        return DomainMapping.build(description)
    return network_of(description)
