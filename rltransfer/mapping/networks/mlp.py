"""Multi-layer perceptrons: alone, and beside an affine network."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, final

import torch
from jaxtyping import Float
from torch import Generator, Tensor, nn
from typing_extensions import override

from rltransfer.mapping.networks.affine import Affine
from rltransfer.mapping.networks.network import ACTIVATIONS, Network, require_activation


@final
class Mlp(Network):
    """Affine layers with an activation between them.

    Args:
        inputs: size of what goes in.
        widths: sizes of the hidden layers, in order; none gives an affine network.
        outputs: size of what comes out.
        activation: between the layers.
        output_activation: after the last layer.
        copies: how many independent copies; `None` for a plain network.
        generator: draws the initial weights.
    """

    def __init__(
        self,
        inputs: int,
        widths: Sequence[int],
        outputs: int,
        *,
        activation: str = "tanh",
        output_activation: str = "identity",
        copies: int | None = None,
        generator: Generator,
    ) -> None:
        super().__init__()
        self.inputs, self.outputs = inputs, outputs
        self.activation = activation
        sizes = [*pairwise([inputs, *widths, outputs])]
        kinds = [activation] * len(widths) + [output_activation]
        self.layers = nn.ModuleList(
            Affine(*size, activation=kind, copies=copies, generator=generator)
            for size, kind in zip(sizes, kinds, strict=True)
        )

    @property
    def _affine(self) -> list[Affine]:
        return [layer for layer in self.layers if isinstance(layer, Affine)]

    @property
    @override
    def settings(self) -> dict[str, Any]:
        return {
            "inputs": self.inputs,
            "widths": [layer.outputs for layer in self._affine[:-1]],
            "outputs": self.outputs,
            "activation": self.activation,
            "output_activation": self._affine[-1].activation,
            "copies": self.copies,
        }

    @override
    def forward(
        self, x: Float[Tensor, "*copies batch inputs"]
    ) -> Float[Tensor, "*stack batch outputs"]:
        for layer in self.layers:
            x = layer(x)
        return x


@final
class ResidualAffine(Network):
    """s(affine(x) + mlp(x)), the MLP's last layer zero at first.

    It starts as its affine part, which may be fitted already, and departs from it only
    where that lowers the loss. Arguments as for `Mlp`.
    """

    def __init__(
        self,
        inputs: int,
        widths: Sequence[int],
        outputs: int,
        *,
        activation: str = "tanh",
        output_activation: str = "identity",
        copies: int | None = None,
        generator: Generator,
    ) -> None:
        super().__init__()
        self.inputs, self.outputs = inputs, outputs
        self.output_activation = require_activation(output_activation)
        self.affine = Affine(inputs, outputs, copies=copies, generator=generator)
        self.residual = Mlp(
            inputs,
            widths,
            outputs,
            activation=activation,
            copies=copies,
            generator=generator,
        )
        with torch.no_grad():
            for parameter in self.residual.layers[-1].parameters():
                parameter.zero_()

    @classmethod
    def around(
        cls,
        affine: Affine,
        widths: Sequence[int],
        *,
        generator: Generator,
    ) -> "ResidualAffine":
        """Returns a network that starts equal to a copy of `affine`."""
        network = cls(
            affine.inputs,
            widths,
            affine.outputs,
            output_activation=affine.activation,
            copies=affine.copies,
            generator=generator,
        )
        network.affine.load_state_dict(affine.state_dict())
        return network

    @property
    @override
    def settings(self) -> dict[str, Any]:
        return self.residual.settings | {"output_activation": self.output_activation}

    @override
    def forward(
        self, x: Float[Tensor, "*copies batch inputs"]
    ) -> Float[Tensor, "*stack batch outputs"]:
        return ACTIVATIONS[self.output_activation](self.affine(x) + self.residual(x))
