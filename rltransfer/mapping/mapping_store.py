"""Networks on disk: one hashed file of numbers and their description."""

import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor

from rltransfer.errors import ArtifactRefused
from rltransfer.io import make_folder
from rltransfer.io.tensor_files import read_tensor_file, write_tensor_file
from rltransfer.mapping.networks import (
    DOMAIN_MAPPING,
    DomainMapping,
    Network,
    describe,
    network_of,
)
from rltransfer.mapping.stacking import Stackable

FILE = "network.safetensors"
KIND = "rltransfer-network-2"
_VERSION_1 = "numbers.safetensors"


def refused(folder: Path, reason: str) -> ArtifactRefused:
    """Returns the error that says why `folder` cannot be loaded."""
    return ArtifactRefused(
        f"{folder} cannot be loaded as a network: {reason}; restore it or save it again"
    )


def save_network(
    folder: Path, network: Network | DomainMapping, about: dict[str, Any] | None = None
) -> None:
    """Writes `network` into `folder`, which is made where it is missing.

    Args:
        folder: holds this network; one that it held before is replaced.
        network: a network or a mapping, plain or a stack.
        about: what else belongs to it, as JSON: seeds, spaces, step counts.
    """
    numbers = {name: value.numpy() for name, value in network.state_dict().items()}
    unfit = [name for name, value in numbers.items() if not np.isfinite(value).all()]
    if unfit:
        raise ValueError(f"only finite numbers are stored; {unfit} are not; fit again")
    description = {
        "architecture": describe(network),
        "about": about or {},
        "versions": {
            "rltransfer": version("rltransfer"),
            "torch": torch.__version__,
            "python": platform.python_version(),
        },
    }
    write_tensor_file(make_folder(folder) / FILE, KIND, description, numbers)


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
            about = description["architecture"]
            mapped = about["network"] == DOMAIN_MAPPING
            network = DomainMapping.build(about) if mapped else network_of(about)
    # All that wrong keys, sizes or types in a description can raise.
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
    """Returns what `folder` holds, once its hash and its form are right."""
    if not (folder / FILE).exists():
        if (folder / _VERSION_1).exists():
            raise ArtifactRefused(
                f"{folder} was written by version 0.1.0 of rltransfer, which this "
                "version does not read; make the transfer again, or fit it again"
            )
        raise refused(folder, f"{FILE} is missing")
    found = read_tensor_file(folder / FILE, KIND)
    names = {"architecture", "about", "versions"}
    if found.content.keys() != names:
        raise refused(folder, f"it needs {sorted(names)} and nothing else")
    numbers = {name: torch.from_numpy(array) for name, array in found.arrays.items()}
    return numbers, found.content


def _require_fit(
    folder: Path, numbers: dict[str, Tensor], wanted: dict[str, Tensor]
) -> None:
    for name in sorted(numbers.keys() | wanted.keys()):
        found, fit = (
            (tuple(x[name].shape), x[name].dtype) if name in x else None
            for x in (numbers, wanted)
        )
        if found != fit:
            raise refused(folder, f"{name} must be {fit}, but it is {found}")
        if not numbers[name].isfinite().all():
            raise refused(folder, f"{name} has numbers that are not finite")
