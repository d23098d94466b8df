"""Mapping networks, by name; each plain or a stack of K copies."""

from typing import Any

from rltransfer.mapping.networks.affine import Affine as Affine
from rltransfer.mapping.networks.mlp import Mlp as Mlp
from rltransfer.mapping.networks.network import ACTIVATIONS as ACTIVATIONS
from rltransfer.mapping.networks.network import Chain as Chain
from rltransfer.mapping.networks.network import Network as Network
from rltransfer.mapping.networks.residual import ResidualAffine as ResidualAffine

NETWORKS: dict[str, type[Network]] = {
    "affine": Affine,
    "mlp": Mlp,
    "residual-affine": ResidualAffine,
    "chain": Chain,
}


def describe(network: Network) -> dict[str, Any]:
    """Returns the name and the architecture of `network`, as JSON."""
    names = {kind: name for name, kind in NETWORKS.items()}
    if type(network) not in names:
        raise TypeError(f"{type(network).__name__} is not in NETWORKS; name it there")
    return {"network": names[type(network)]} | network.settings


def network_of(description: dict[str, Any]) -> Network:
    """Returns a network of that architecture, with weights still to be loaded."""
    settings = dict(description)
    name = settings.pop("network", None)
    if name not in NETWORKS:
        raise ValueError(
            f"no network is called {name!r}; there are: {', '.join(NETWORKS)}"
        )
    return NETWORKS[name].build(settings)
