"""Multi-layer perceptrons: affine layers, one after the other."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, final

from jaxtyping import Float
from torch import Generator, Tensor, nn
from typing_extensions import override

from rltransfer.mapping.networks.affine import Affine
from rltransfer.mapping.networks.network import Network
from rltransfer.mapping.stacking import common_copies


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
    def copies(self) -> int | None:
        return common_copies(self.layers)

    @property
    @override
    def inputs(self) -> int:
        return self._affine[0].inputs

    @property
    @override
    def outputs(self) -> int:
        return self._affine[-1].outputs

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

    @classmethod
    @override
    def build(cls, settings: dict[str, Any]) -> "Mlp":
        return cls(**settings, generator=Generator())

    @override
    def forward(
        self, x: Float[Tensor, "*copies batch inputs"]
    ) -> Float[Tensor, "*stack batch outputs"]:
        for layer in self.layers:
            x = layer(x)
        return x
