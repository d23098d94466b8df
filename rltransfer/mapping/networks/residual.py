"""An affine network plus a residual MLP whose last layer starts at zero."""

from collections.abc import Sequence
from typing import Any, final

import torch
from jaxtyping import Float
from torch import Generator, Tensor
from typing_extensions import override

from rltransfer.mapping.networks.affine import Affine
from rltransfer.mapping.networks.mlp import Mlp
from rltransfer.mapping.networks.network import ACTIVATIONS, Network, require_activation
from rltransfer.mapping.stacking import common_copies


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
        activation: str = "tanh",
        generator: Generator,
    ) -> "ResidualAffine":
        """Returns a network that starts equal to a copy of `affine`."""
        network = cls(
            affine.inputs,
            widths,
            affine.outputs,
            activation=activation,
            output_activation=affine.activation,
            copies=affine.copies,
            generator=generator,
        )
        network.affine.load_state_dict(affine.state_dict())
        return network

    @property
    @override
    def copies(self) -> int | None:
        return common_copies(self.children())

    @property
    @override
    def inputs(self) -> int:
        return self.affine.inputs

    @property
    @override
    def outputs(self) -> int:
        return self.affine.outputs

    @property
    @override
    def settings(self) -> dict[str, Any]:
        return self.residual.settings | {"output_activation": self.output_activation}

    @classmethod
    @override
    def build(cls, settings: dict[str, Any]) -> "ResidualAffine":
        return cls(**settings, generator=Generator())

    @override
    def forward(
        self, x: Float[Tensor, "*copies batch inputs"]
    ) -> Float[Tensor, "*stack batch outputs"]:
        return ACTIVATIONS[self.output_activation](self.affine(x) + self.residual(x))
