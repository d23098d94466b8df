"""Writing networks to disk."""

import platform
from pathlib import Path
from typing import Any

import safetensors.torch
import torch

import rltransfer
from rltransfer.files import make_folder, write_atomically, write_json
from rltransfer.mapping.domain_mapping import DomainMapping
from rltransfer.mapping.networks import Network, describe
from rltransfer.mapping.store.form import (
    DESCRIPTION,
    DOMAIN_MAPPING,
    MANIFEST,
    NUMBERS,
    manifest_of,
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
