"""What every mapping network promises, and the activations it may use."""

from abc import abstractmethod
from collections.abc import Callable
from typing import Any, TypeVar

import torch
from jaxtyping import Float
from torch import Generator, Tensor
from typing_extensions import override

from rltransfer.mapping.stacking import Stackable

W = TypeVar("W", bound="Network")


class Network(Stackable):
    """A differentiable map between two spaces whose sizes need not agree."""

    inputs: int
    """Size of what goes in."""
    outputs: int
    """Size of what comes out."""

    @classmethod
    @override
    def build(cls: type[W], settings: dict[str, Any]) -> W:
        return cls(**settings, generator=Generator())

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


def rms_norm(
    x: Float[Tensor, "*batch outputs"],
) -> Float[Tensor, "*batch outputs"]:
    """Returns the rows scaled to a mean square of one (Zhang & Sennrich, 2019).

    Rows of length zero stay; directions alone are compared afterwards.
    """
    return x / x.square().mean(dim=-1, keepdim=True).clamp(min=1e-12).sqrt()


def identity(
    x: Float[Tensor, "*batch outputs"],
) -> Float[Tensor, "*batch outputs"]:
    """Returns `x`."""
    return x


ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "identity": identity,
    "relu": torch.relu,
    "rms_norm": rms_norm,
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
