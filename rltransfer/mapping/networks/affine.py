"""The affine network g(x) = s(xW + b)."""

from typing import Any, final

import torch
from jaxtyping import Float
from torch import Generator, Tensor, nn
from typing_extensions import override

from rltransfer.mapping.networks.network import ACTIVATIONS, Network, require_activation
from rltransfer.mapping.stacking import leading


@final
class Affine(Network):
    """One layer, g(x) = s(xW + b), with rows as batches.

    Starts uniform in ±1/√inputs, as PyTorch's own linear layers do.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        *,
        activation: str = "identity",
        copies: int | None = None,
        generator: Generator,
    ) -> None:
        super().__init__()
        if min(inputs, outputs) < 1:
            raise ValueError(f"sizes must be at least 1, got {inputs} and {outputs}")
        shape, bound = leading(copies), inputs**-0.5
        self.inputs, self.outputs = inputs, outputs
        self.activation = require_activation(activation)
        self.weight = nn.Parameter(
            torch.empty(*shape, inputs, outputs).uniform_(
                -bound, bound, generator=generator
            )
        )
        self.bias = nn.Parameter(
            torch.empty(*shape, outputs).uniform_(-bound, bound, generator=generator)
        )

    @classmethod
    def of(
        cls,
        weight: Float[Tensor, "*copies inputs outputs"],
        bias: Float[Tensor, "*copies outputs"],
        *,
        activation: str = "identity",
    ) -> "Affine":
        """Returns the layer with copies of these parameters."""
        *copies, inputs, outputs = weight.shape
        layer = cls(
            inputs,
            outputs,
            activation=activation,
            copies=copies[0] if copies else None,
            generator=Generator(),
        )
        with torch.no_grad():
            layer.weight.copy_(weight)
            layer.bias.copy_(bias)
        return layer

    @property
    @override
    def copies(self) -> int | None:
        return self.weight.shape[0] if self.weight.ndim == 3 else None

    @property
    @override
    def settings(self) -> dict[str, Any]:
        return {
            "inputs": self.inputs,
            "outputs": self.outputs,
            "activation": self.activation,
            "copies": self.copies,
        }

    @override
    def forward(
        self, x: Float[Tensor, "*copies batch inputs"]
    ) -> Float[Tensor, "*stack batch outputs"]:
        if self.weight.ndim == 2 and x.ndim == 2:
            y = torch.addmm(self.bias, x, self.weight)
        else:
            y = x @ self.weight + self.bias.unsqueeze(-2)
        return ACTIVATIONS[self.activation](y)

    def after(
        self, weight: Float[Tensor, "before inputs"], bias: Float[Tensor, " inputs"]
    ) -> "Affine":
        """Returns this layer with x ↦ x·weight + bias done first, as one layer."""
        with torch.no_grad():
            return Affine.of(
                weight @ self.weight,
                bias @ self.weight + self.bias,
                activation=self.activation,
            )
