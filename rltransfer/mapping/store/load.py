"""Reading networks from disk; nothing there is believed unchecked."""

import hashlib
from pathlib import Path
from typing import Any, TypeVar

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from rltransfer.files import read_json, storage_faults
from rltransfer.mapping.domain_mapping import DomainMapping
from rltransfer.mapping.networks import network_of
from rltransfer.mapping.stacks import Stackable
from rltransfer.mapping.store.form import (
    DESCRIPTION,
    DOMAIN_MAPPING,
    MANIFEST,
    NUMBERS,
    manifest_of,
    refused,
)

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
