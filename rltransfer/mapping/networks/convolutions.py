"""A convolutional trunk: features of a picture at every place of one grid."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, final

import torch
from jaxtyping import Float
from torch import Generator, Tensor, nn
from torch.nn import functional as F
from typing_extensions import override

from rltransfer.mapping.networks.network import ACTIVATIONS, Network, require_activation
from rltransfer.mapping.stacking import leading

KERNEL = 3
"""Pixels that a layer sees in each direction, `spread` apart."""


@final
class Convolutions(Network):
    """Layers of 3 by 3, the chosen ones joined at the grid of the coarsest.

    A row is a picture: its lines one after the other, the channels of a pixel side by
    side. What comes out is a grid in the same order. Deep layers see far and know what
    is there, shallow ones where exactly: hypercolumns (Hariharan et al., 2015). Those
    on a finer grid are folded, so that nothing is lost: a place of the grid has the
    features of all their places that it covers.

    Args:
        height: of a picture in pixels; a multiple of what the layers divide it by.
        width: likewise.
        channels: of a pixel.
        layers: of each its features, its stride, and how far apart the pixels are
            that it sees (1: neighbours).
        joined: which depths come out; 0 is the picture, 1 the first layer.
        activation: after every layer.
        copies: how many independent copies; `None` for a plain network.
        generator: draws the initial weights (He et al., 2015).
    """

    def __init__(
        self,
        height: int,
        width: int,
        channels: int,
        layers: Sequence[Sequence[int]],
        joined: Sequence[int],
        *,
        activation: str = "relu",
        copies: int | None = None,
        generator: Generator,
    ) -> None:
        super().__init__()
        self.height, self.width, self.channels = height, width, channels
        self.layers = tuple((maps, stride, far) for maps, stride, far in layers)
        self.joined = tuple(joined)
        self.activation = require_activation(activation)
        if not self.joined or not {*self.joined} <= {*range(len(self.layers) + 1)}:
            raise ValueError(
                f"depths to join must be in 0…{len(self.layers)}, got {self.joined}"
            )
        self.sides = [1]
        """Pixels of the picture to a place, by depth."""
        for _, stride, _ in self.layers:
            self.sides.append(self.sides[-1] * stride)
        if height % self.sides[-1] or width % self.sides[-1] or min(height, width) < 1:
            raise ValueError(
                f"pictures must be multiples of {self.sides[-1]} pixels, got "
                f"{height} by {width}"
            )
        sizes = [channels, *(maps for maps, _, _ in self.layers)]
        self.side = max(self.sides[depth] for depth in self.joined)
        self.grid = (height // self.side, width // self.side)
        """Places down and across."""
        self.features = sum(
            sizes[depth] * (self.side // self.sides[depth]) ** 2
            for depth in self.joined
        )
        """Of each place."""
        self.inputs = height * width * channels
        self.outputs = self.grid[0] * self.grid[1] * self.features
        shape = leading(copies)
        weights, biases = [], []
        for before, after in pairwise(sizes):
            bound = (6 / (before * KERNEL**2)) ** 0.5
            drawn = torch.empty(*shape, after, before, KERNEL, KERNEL)
            weights.append(
                nn.Parameter(drawn.uniform_(-bound, bound, generator=generator))
            )
            biases.append(nn.Parameter(torch.zeros(*shape, after)))
        # One name each, as stacks take parameters apart by their names.
        for depth, (weight, bias) in enumerate(zip(weights, biases, strict=True), 1):
            self.register_parameter(f"weight_{depth}", weight)
            self.register_parameter(f"bias_{depth}", bias)

    @property
    @override
    def copies(self) -> int | None:
        bias = self._layer(1)[1]
        return bias.shape[0] if bias.ndim == 2 else None

    @property
    @override
    def settings(self) -> dict[str, Any]:
        return {
            "height": self.height,
            "width": self.width,
            "channels": self.channels,
            "layers": [list(layer) for layer in self.layers],
            "joined": list(self.joined),
            "activation": self.activation,
            "copies": self.copies,
        }

    def sized(self, height: int, width: int) -> "Convolutions":
        """Returns the trunk for pictures of this size, with copies of the weights."""
        other = Convolutions.build(self.settings | {"height": height, "width": width})
        other.load_state_dict(self.state_dict())
        for mine, theirs in zip(self.parameters(), other.parameters(), strict=True):
            theirs.requires_grad_(mine.requires_grad)
        return other

    @override
    def forward(
        self, x: Float[Tensor, "*copies batch inputs"]
    ) -> Float[Tensor, "*stack batch outputs"]:
        lead, copies = x.shape[:-1], self.copies
        stack = 1 if copies is None else copies
        pixels = x.reshape(*lead, self.height, self.width, self.channels)
        if copies is None:
            maps = pixels.flatten(0, -4).movedim(-1, -3)
        else:
            # Copies lie side by side as groups of channels.
            each = pixels.expand(stack, *pixels.shape[-4:]).movedim(-1, -3)
            maps = each.movedim(0, 1).flatten(1, 2)
        depths = [maps]
        for depth, (_, stride, far) in enumerate(self.layers, 1):
            weight, bias = self._layer(depth)
            if copies is not None:
                weight, bias = weight.flatten(0, 1), bias.flatten()
            maps = F.conv2d(maps, weight, bias, stride, far, far, groups=stack)
            maps = ACTIVATIONS[self.activation](maps)
            depths.append(maps)
        folded = [
            self._folded(depths[k], self.side // self.sides[k]) for k in self.joined
        ]
        if copies is None:
            rows = torch.cat(folded, dim=1).movedim(1, -1).flatten(1)
            return rows.view(*lead, self.outputs)
        split = [part.unflatten(1, (stack, -1)) for part in folded]
        return torch.cat(split, dim=2).movedim(1, 0).movedim(2, -1).flatten(2)

    def _layer(self, depth: int) -> tuple[Tensor, Tensor]:
        return getattr(self, f"weight_{depth}"), getattr(self, f"bias_{depth}")

    @staticmethod
    def _folded(maps: Tensor, times: int) -> Tensor:
        return F.pixel_unshuffle(maps, times) if times > 1 else maps
