"""Which digit each pixel belongs to, and how far each digit is turned."""

from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from typing_extensions import override

from digits.digit_tasks import CLASSES
from rltransfer.mapping import Examples, Network, Objective
from rltransfer.mapping.objectives.at_places import centre_error
from rltransfer.mapping.objectives.supervised import mean_cross_entropy
from vision.canvases import Canvases
from vision.digit_reader import GRID, SIDE
from vision.found_digits import centres, outputs

PIXELS = SIDE**2
"""Of a place; the head says of each of them what it belongs to."""
KINDS = CLASSES + 1
"""Ten digits, and none of them."""
LOGITS = PIXELS * KINDS
CHANNELS = LOGITS + 2
"""Behind the logits stand cosine and sine of the turn of a digit centred here."""


@final
@dataclass(frozen=True, eq=False)
class MasksAndTurns(Objective[Network, Examples]):
    """Mean cross-entropy of pixels in nats, and the error of turns at centres.

    A label has at each place the kinds of its pixels, cosine and sine, and 1 where a
    digit has its centre, else 0.
    """

    @override
    def terms(self, network: Network, rows: Examples) -> dict[str, Float[Tensor, ""]]:
        said = network(rows.inputs).unflatten(-1, (-1, CHANNELS))
        wanted = rows.labels.view(len(rows), -1, PIXELS + 3)
        kinds = wanted[..., :PIXELS].flatten().long()
        return {
            "masks": mean_cross_entropy(said[..., :LOGITS].reshape(-1, KINDS), kinds),
            "turns": centre_error(
                said[..., LOGITS:], wanted[..., PIXELS:-1], wanted[..., -1]
            ),
        }


def with_masks(canvases: Canvases) -> Examples:
    """Returns canvases and what `MasksAndTurns` wants at their places."""
    labels = torch.zeros(len(canvases), GRID, GRID, PIXELS + 3)
    blocks = canvases.masks.unflatten(1, (GRID, SIDE)).unflatten(3, (GRID, SIDE))
    labels[..., :PIXELS] = blocks.movedim(2, 3).flatten(3)
    _, place = centres(canvases)
    turns = torch.stack(
        [canvases.turns.cos(), canvases.turns.sin(), torch.ones(len(place))], dim=1
    )
    labels[canvases.canvas, place[:, 1], place[:, 0], PIXELS:] = turns
    return Examples(canvases.pictures.flatten(1), labels.flatten(1))


def read(
    network: Network, canvases: Canvases
) -> tuple[Int[Tensor, "canvas 64 64"], Float[Tensor, " digit"]]:
    """Returns the likeliest kind of each pixel, and turns where true centres are."""
    said = outputs(network, canvases)
    kinds = said[..., :LOGITS].unflatten(-1, (SIDE, SIDE, KINDS)).argmax(dim=-1)
    masks = kinds.movedim(3, 2).flatten(3).flatten(1, 2)
    _, place = centres(canvases)
    cos, sin = said[canvases.canvas, place[:, 1], place[:, 0], LOGITS:].unbind(dim=1)
    return masks, torch.atan2(sin, cos)


def mean_iou(found: Int[Tensor, "*pixels"], true: Int[Tensor, "*pixels"]) -> float:
    """Returns intersection over union, over all pictures, averaged over the digits.

    Digits that are neither found nor there do not count.
    """
    pairs = (found.long() * KINDS + true.long()).flatten()
    counts = pairs.bincount(minlength=KINDS**2).view(KINDS, KINDS).double()
    both = counts.diagonal()[:CLASSES]
    either = (counts.sum(dim=0) + counts.sum(dim=1)).narrow(0, 0, CLASSES) - both
    return float((both[either > 0] / either[either > 0]).mean())


def degrees_off(found: Float[Tensor, " digit"], true: Float[Tensor, " digit"]) -> float:
    """Returns the mean angle, in degrees, between what was found and what is true."""
    apart = torch.remainder(found - true + np.pi, 2 * np.pi) - np.pi
    return float(apart.abs().mean().rad2deg())
