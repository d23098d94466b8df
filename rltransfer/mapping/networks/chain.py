"""Networks one after the other."""

from typing import Any, final

from jaxtyping import Float
from torch import Tensor, nn
from typing_extensions import override

from rltransfer.mapping.networks.network import Network
from rltransfer.mapping.stacking import common_copies


@final
class Chain(Network):
    """The composition of networks, first one first; stacks and plain ones may mix."""

    def __init__(self, *links: Network) -> None:
        super().__init__()
        if not links:
            raise ValueError("a chain needs at least one network, got none")
        self.links = nn.ModuleList(links)

    def __getitem__(self, place: int) -> Network:
        link = self.links[place]
        assert isinstance(link, Network)  # by construction
        return link

    @property
    @override
    def copies(self) -> int | None:
        return common_copies(self.links)

    @property
    @override
    def inputs(self) -> int:
        return self[0].inputs

    @property
    @override
    def outputs(self) -> int:
        return self[-1].outputs

    @property
    @override
    def settings(self) -> dict[str, Any]:
        # The table of names holds this class too, so it is looked up late.
        from rltransfer.mapping.networks import describe

        return {"links": [describe(self[i]) for i in range(len(self.links))]}

    @classmethod
    @override
    def build(cls, settings: dict[str, Any]) -> "Chain":
        from rltransfer.mapping.networks import network_of

        return cls(*(network_of(link) for link in settings["links"]))

    @override
    def forward(
        self, x: Float[Tensor, "*copies batch inputs"]
    ) -> Float[Tensor, "*stack batch outputs"]:
        for link in self.links:
            x = link(x)
        return x
