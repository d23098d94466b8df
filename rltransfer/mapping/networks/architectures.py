"""Networks by name, as descriptions have them, and those that are made of others."""

from typing import Any, final

from jaxtyping import Float
from torch import Tensor, nn
from typing_extensions import override

from rltransfer.mapping.networks.affine import Affine
from rltransfer.mapping.networks.convolutions import Convolutions
from rltransfer.mapping.networks.mlp import Mlp, ResidualAffine
from rltransfer.mapping.networks.network import Network
from rltransfer.mapping.networks.pixel_encoder import PixelEncoder
from rltransfer.mapping.networks.rescaling import Rescaling
from rltransfer.mapping.stacking import Stackable, common_copies


@final
class Chain(Network):
    """The composition of networks, first one first; stacks and plain ones may mix."""

    def __init__(self, *links: Network) -> None:
        super().__init__()
        if not links:
            raise ValueError("a chain needs at least one network, got none")
        self.links = nn.ModuleList(links)
        self.inputs, self.outputs = links[0].inputs, links[-1].outputs

    def __getitem__(self, place: int) -> Network:
        link = self.links[place]
        assert isinstance(link, Network)  # by construction
        return link

    @property
    @override
    def settings(self) -> dict[str, Any]:
        return {"links": [describe(self[i]) for i in range(len(self.links))]}

    @classmethod
    @override
    def build(cls, settings: dict[str, Any]) -> "Chain":
        return cls(*(network_of(link) for link in settings["links"]))

    @override
    def forward(
        self, x: Float[Tensor, "*copies batch inputs"]
    ) -> Float[Tensor, "*stack batch outputs"]:
        return self.after_first(self.links[0](x))

    def after_first(
        self, features: Float[Tensor, "*copies batch features"]
    ) -> Float[Tensor, "*stack batch outputs"]:
        """Returns what the other links make of what the first one made."""
        for link in self.links[1:]:
            features = link(features)
        return features


@final
class AtEveryPlace(Network):
    """One network, done at each of several places that lie side by side in a row.

    On pictures it is a convolution of 1 by 1 (Lin et al., 2014). It does not know how
    places are arranged, so one that is fitted works on a grid of any size.

    Args:
        network: maps the numbers of one place.
        places: in a row.
    """

    def __init__(self, network: Network, places: int) -> None:
        super().__init__()
        if places < 1:
            raise ValueError(f"places must be at least 1, got {places}")
        self.network, self.places = network, places
        self.inputs, self.outputs = places * network.inputs, places * network.outputs

    @property
    @override
    def settings(self) -> dict[str, Any]:
        return {"each": describe(self.network), "places": self.places}

    @classmethod
    @override
    def build(cls, settings: dict[str, Any]) -> "AtEveryPlace":
        return cls(network_of(settings["each"]), settings["places"])

    @override
    def forward(
        self, x: Float[Tensor, "*copies batch inputs"]
    ) -> Float[Tensor, "*stack batch outputs"]:
        rows = x.unflatten(-1, (self.places, self.network.inputs)).flatten(-3, -2)
        mapped = self.network(rows)
        each: Tensor = mapped.unflatten(-2, (-1, self.places)).flatten(-2)
        return each


def in_turn(first: Network, last: Network) -> Network:
    """Returns `last` done after `first`, as one layer where that is possible."""
    if isinstance(first, Affine) and first.activation == "identity":
        if isinstance(last, Affine):
            return last.after(first.weight, first.bias)
    return Chain(first, last)


@final
class DomainMapping(Stackable):
    """Maps target states and target actions to the source.

    Args:
        state: target state to source state.
        action: target action to source action; `None` where they are the same.
    """

    def __init__(self, state: Network, action: Network | None = None) -> None:
        super().__init__()
        self.state = state
        self.action = action
        common_copies(self.children())  # raises where the two disagree

    @property
    @override
    def settings(self) -> dict[str, Any]:
        return {
            "state": describe(self.state),
            "action": None if self.action is None else describe(self.action),
        }

    @classmethod
    @override
    def build(cls, settings: dict[str, Any]) -> "DomainMapping":
        action = settings["action"]
        return cls(
            network_of(settings["state"]),
            None if action is None else network_of(action),
        )


NETWORKS: dict[str, type[Network]] = {
    "affine": Affine,
    "mlp": Mlp,
    "residual-affine": ResidualAffine,
    "rescaling": Rescaling,
    "pixel-encoder": PixelEncoder,
    "chain": Chain,
    "at-every-place": AtEveryPlace,
    "convolutions": Convolutions,
}


DOMAIN_MAPPING = "domain-mapping"
"""Names a `DomainMapping`, which is no network, among the architectures."""


def describe(network: Network | DomainMapping) -> dict[str, Any]:
    """Returns the name and the architecture of `network`, as JSON."""
    kinds = NETWORKS | {DOMAIN_MAPPING: DomainMapping}
    for name, kind in kinds.items():
        if type(network) is kind:
            return {"network": name} | network.settings
    raise TypeError(f"{type(network).__name__} is not in NETWORKS; name it there")


def network_of(description: dict[str, Any]) -> Network:
    """Returns a network of that architecture, with weights still to be loaded."""
    settings = dict(description)
    name = settings.pop("network", None)
    if name not in NETWORKS:
        raise ValueError(
            f"no network is called {name!r}; there are: {', '.join(NETWORKS)}"
        )
    return NETWORKS[name].build(settings)
