"""The weights of the match network: what is shipped, and files of one's own."""

from pathlib import Path
from typing import Any

import torch

from rltransfer.alignment.matching.match_network import MatchNetwork
from rltransfer.errors import ArtifactRefused
from rltransfer.io.tensor_files import TensorFile, read_tensor_file, write_tensor_file

KIND = "rltransfer-matcher-1"
SHIPPED = Path(__file__).with_name("matcher.safetensors")
"""Comes along; its description says by which command and seed it was trained."""


def write_match_network(
    path: Path, network: MatchNetwork, about: dict[str, Any]
) -> None:
    """Writes a network, whole or not at all.

    Args:
        path: of the file.
        network: trained.
        about: how, as JSON.
    """
    weights = {name: value.numpy() for name, value in network.state_dict().items()}
    write_tensor_file(path, KIND, about, weights)


def read_match_network(path: Path) -> MatchNetwork:
    """Returns the network in a file, whose hash is checked.

    Raises:
        ArtifactRefused: it is missing, damaged, or of another kind.
    """
    if not path.is_file():
        raise ArtifactRefused(
            f"{path} is missing, which holds the match network; install rltransfer "
            "again, or train one with rltransfer meta-train"
        )
    return _network(path, read_tensor_file(path, KIND))


def match_network_facts(path: Path) -> dict[str, Any]:
    """Returns what is said of the network in a file: how it was trained."""
    return read_tensor_file(path, KIND).content


def _network(path: Path, found: TensorFile) -> MatchNetwork:
    network = MatchNetwork(torch.Generator())
    weights = {name: torch.from_numpy(array) for name, array in found.arrays.items()}
    wanted = network.state_dict()
    for name in sorted(wanted.keys() | weights.keys()):
        shapes = [
            (tuple(part[name].shape), part[name].dtype) if name in part else None
            for part in (wanted, weights)
        ]
        if shapes[0] != shapes[1] or not weights[name].isfinite().all():
            raise ArtifactRefused(
                f"{path} is no match network of this version ({name} does not fit); "
                "use the version of rltransfer that wrote it"
            )
    network.load_state_dict(weights)
    return network.eval().requires_grad_(False)
