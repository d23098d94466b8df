"""The convolutional network: pictures, and numbers beside them, to a state."""

from collections.abc import Sequence
from itertools import pairwise
from math import ceil
from typing import Any, final

import torch
from jaxtyping import Float
from torch import Generator, Tensor, nn
from torch.nn import functional as F
from typing_extensions import override

from rltransfer.mapping.networks.mlp import Mlp
from rltransfer.mapping.networks.network import Network
from rltransfer.mapping.stacking import Stackable, leading

_MOTION = 4.0
"""By which differences of frames are multiplied: between two frames little moves."""


@final
class Convolution(Stackable):
    """One layer of filters with a rectifier; each step of it skips every other place.

    Starts uniform in ±1/√inputs of a filter, as PyTorch's own do.
    """

    def __init__(
        self,
        inputs: int,
        filters: int,
        width: int,
        *,
        copies: int | None = None,
        generator: Generator,
    ) -> None:
        super().__init__()
        if min(inputs, filters, width) < 1 or not width % 2:
            raise ValueError(
                f"filters need sizes of at least 1 and an odd width, got {inputs}, "
                f"{filters} and {width}"
            )
        shape, bound = leading(copies), (inputs * width**2) ** -0.5
        self.weight = nn.Parameter(
            torch.empty(*shape, filters, inputs, width, width).uniform_(
                -bound, bound, generator=generator
            )
        )
        self.bias = nn.Parameter(
            torch.empty(*shape, filters).uniform_(-bound, bound, generator=generator)
        )

    @property
    @override
    def copies(self) -> int | None:
        return self.weight.shape[0] if self.weight.ndim == 5 else None

    @property
    @override
    def settings(self) -> dict[str, Any]:
        filters, inputs, width = self.weight.shape[-4:-1]
        sizes = {"inputs": inputs, "filters": filters, "width": width}
        return sizes | {"copies": self.copies}

    @classmethod
    @override
    def build(cls, settings: dict[str, Any]) -> "Convolution":
        return cls(**settings, generator=Generator())

    def forward(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch filters rows columns"]:
        """Filters pictures; of a stack the copies' channels stand one after another."""
        weight, groups = self.weight, self.copies or 1
        padding = weight.shape[-1] // 2
        y = F.conv2d(
            x,
            weight.reshape(-1, *weight.shape[-3:]),
            self.bias.reshape(-1),
            stride=2,
            padding=padding,
            groups=groups,
        )
        return torch.relu(y)


@final
class PixelEncoder(Network):
    """Two layers of filters over a picture, then an MLP that also sees other numbers.

    The layout is that of the network of Mnih et al. (2015), with fewer and smaller
    layers. Channels are frames, the latest one last: differences between neighbours are
    shown instead of the earlier ones, enlarged, as that is where velocities are.

    Args:
        picture: channels, height and width; its numbers come first, flat, in [0, 1].
        means: of the other numbers, which follow; as many as there are.
        deviations: of these; positive.
        outputs: size of what comes out.
        filters: of each layer; the first one is five places wide, the others three.
        hidden: width of the MLP's hidden layer.
        copies: how many independent copies; `None` for a plain network.
        generator: draws the initial weights.
    """

    def __init__(
        self,
        picture: Sequence[int],
        means: Sequence[float],
        deviations: Sequence[float],
        outputs: int,
        *,
        filters: Sequence[int] = (8, 16),
        hidden: int = 64,
        copies: int | None = None,
        generator: Generator,
    ) -> None:
        super().__init__()
        if len(picture) != 3 or min(*picture, hidden, outputs) < 1:
            raise ValueError(
                "a picture has channels, height and width, and sizes are at least 1; "
                f"got {tuple(picture)}, {outputs} and {hidden}"
            )
        if len(means) != len(deviations) or not all(size > 0 for size in deviations):
            raise ValueError(
                "numbers beside a picture have a mean and a positive deviation each, "
                f"got {list(means)} and {list(deviations)}"
            )
        channels, height, width = picture
        self.picture, self.beside = (channels, height, width), len(means)
        beside = self.beside
        self.means, self.deviations = tuple(means), tuple(deviations)
        self.inputs, self.outputs = channels * height * width + beside, outputs
        sizes = pairwise([channels, *filters])
        self.layers = nn.ModuleList(
            Convolution(*size, 3 if place else 5, copies=copies, generator=generator)
            for place, size in enumerate(sizes)
        )
        for _ in self.layers:
            height, width = ceil(height / 2), ceil(width / 2)
        features = [channels, *filters][-1] * height * width + beside
        self.head = Mlp(
            features,
            (hidden,),
            outputs,
            activation="relu",
            copies=copies,
            generator=generator,
        )

    @property
    @override
    def settings(self) -> dict[str, Any]:
        filters = [
            layer.weight.shape[-4]
            for layer in self.layers
            if isinstance(layer, Convolution)
        ]
        return {
            "picture": list(self.picture),
            "means": list(self.means),
            "deviations": list(self.deviations),
            "outputs": self.outputs,
            "filters": filters,
            "hidden": self.head.settings["widths"][0],
            "copies": self.copies,
        }

    @override
    def forward(
        self, x: Float[Tensor, "*copies batch inputs"]
    ) -> Float[Tensor, "*stack batch outputs"]:
        pixels = self.inputs - self.beside
        frames = x[..., :pixels].unflatten(-1, self.picture)
        moved = _MOTION * frames.diff(dim=-3)
        shown = torch.cat([moved, frames[..., -1:, :, :]], dim=-3)
        means, deviations = map(x.new_tensor, (self.means, self.deviations))
        others = (x[..., pixels:] - means) / deviations
        copies = self.copies
        if copies is None:
            flat = self._filtered(shown.flatten(0, -4)).flatten(1)
            features = flat.unflatten(0, x.shape[:-1])
        else:
            # Filters of all copies go over one picture that has the channels of all.
            if x.ndim == 2:
                shown = shown.expand(copies, *shown.shape)
                others = others.expand(copies, *others.shape)
            side_by_side = shown.transpose(0, 1).flatten(1, 2)
            filtered = self._filtered(side_by_side).unflatten(1, (copies, -1))
            features = filtered.flatten(2).transpose(0, 1)
        mapped: Tensor = self.head(torch.cat([features, others], dim=-1))
        return mapped

    def _filtered(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = layer(x)
        return x
