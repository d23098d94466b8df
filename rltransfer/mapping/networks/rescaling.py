"""The network g(x) = exp(s)x + b, which changes units and nothing else."""

from typing import Any, final

import torch
from jaxtyping import Float
from torch import Generator, Tensor, nn
from typing_extensions import override

from rltransfer.mapping.networks.network import Network
from rltransfer.mapping.stacking import leading


@final
class Rescaling(Network):
    """Each number by itself times a positive scale, plus an offset; starts as x ↦ x."""

    def __init__(
        self, size: int, *, copies: int | None = None, generator: Generator
    ) -> None:
        super().__init__()
        del generator  # nothing is drawn
        if size < 1:
            raise ValueError(f"size must be at least 1, got {size}")
        self.inputs = self.outputs = size
        self.log_scale = nn.Parameter(torch.zeros(*leading(copies), size))
        self.offset = nn.Parameter(torch.zeros(*leading(copies), size))

    @property
    @override
    def copies(self) -> int | None:
        return self.offset.shape[0] if self.offset.ndim == 2 else None

    @property
    @override
    def settings(self) -> dict[str, Any]:
        return {"size": self.inputs, "copies": self.copies}

    @override
    def forward(
        self, x: Float[Tensor, "*copies batch inputs"]
    ) -> Float[Tensor, "*stack batch outputs"]:
        return x * self.log_scale.exp().unsqueeze(-2) + self.offset.unsqueeze(-2)
