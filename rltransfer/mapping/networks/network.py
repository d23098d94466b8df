"""What every mapping network promises, and the activations it may use."""

from abc import abstractmethod
from collections.abc import Callable
from typing import Any, final

import torch
from jaxtyping import Float
from torch import Tensor, nn
from typing_extensions import override

from rltransfer.mapping.stacking import Stackable, common_copies


class Network(Stackable):
    """A differentiable map between two spaces whose sizes need not agree."""

    @property
    @abstractmethod
    def inputs(self) -> int:
        """Size of what goes in."""

    @property
    @abstractmethod
    def outputs(self) -> int:
        """Size of what comes out."""

    @abstractmethod
    def forward(
        self, x: Float[Tensor, "*copies batch inputs"]
    ) -> Float[Tensor, "*stack batch outputs"]:
        """Maps a batch; a stack maps it once per copy.

        Args:
            x: rows shared by all copies, or one batch for each.
        """


def sum_to_one(
    x: Float[Tensor, "*batch outputs"],
) -> Float[Tensor, "*batch outputs"]:
    """Returns the nearest rows that sum to one, each entry shifted by the same amount.

    Mixtures of discrete actions stay mixtures, with weights of either sign.
    """
    return x + (1 - x.sum(dim=-1, keepdim=True)) / x.shape[-1]


def identity(
    x: Float[Tensor, "*batch outputs"],
) -> Float[Tensor, "*batch outputs"]:
    """Returns `x`."""
    return x


ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "identity": identity,
    "relu": torch.relu,
    "sigmoid": torch.sigmoid,
    "sum_to_one": sum_to_one,
    "tanh": torch.tanh,
}


def require_activation(name: str) -> str:
    """Returns `name`; raises unless there is such an activation."""
    if name not in ACTIVATIONS:
        raise ValueError(
            f"no activation is called {name!r}; there are: {', '.join(ACTIVATIONS)}"
        )
    return name


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
