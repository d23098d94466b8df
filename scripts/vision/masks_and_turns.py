"""Which digit each pixel belongs to, and how far each digit is turned."""

from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional as F
from typing_extensions import override

from digits.digit_tasks import CLASSES
from rltransfer.mapping import AtPlaces, Examples, Network, Objective
from vision.canvases import INK, NOTHING, SIZE, Canvases
from vision.digit_reader import GRID, SIDE
from vision.found_digits import centres, labelled, outputs

PIXELS = SIDE**2
"""Of a place."""
KINDS = CLASSES + 1
"""Ten digits, and none of them."""
CENTRES = AtPlaces(CLASSES, (1.0, 1.0, 0.3, 0.3, 1.0, 1.0))
"""As in detection, and cosine and sine of the turn of a digit centred here."""
INKED = CENTRES.channels
"""Behind what is said of centres stands for each pixel whether it is a digit's,"""
AWAY = INKED + PIXELS
"""and how far away, right and down, its digit's centre is, in places."""
CHANNELS = AWAY + 2 * PIXELS
WEIGHTS = {"ink": 2.0, "away": 0.5}
"""Of what pixels are asked, as a share of what centres are."""
PEAKS = 20
"""Centres of a canvas that pixels choose from."""
NEAR = 1.5
"""Places between where a pixel points and a centre, as a deviation."""


@final
@dataclass(frozen=True, eq=False)
class MasksAndTurns(Objective[Network, Examples]):
    """Wants centres, pixels of digits, and where from each of those its centre is.

    As Panoptic-DeepLab (Cheng et al., 2020): cross-entropy of ink in nats, of bright
    pixels alone (others are paper), and the absolute error of where centres are, of
    digits' pixels alone. A label has the numbers of `CENTRES`, then 1 or 0 for each
    pixel, its two distances, and last 1 where a digit has its centre, else 0.
    """

    @override
    def terms(self, network: Network, rows: Examples) -> dict[str, Float[Tensor, ""]]:
        said = network(rows.inputs).unflatten(-1, (-1, CHANNELS))
        wanted = rows.labels.view(len(rows), -1, CHANNELS + 1)
        at_centres = [*range(INKED), CHANNELS]
        terms = CENTRES.terms(
            lambda _: said[..., :INKED].flatten(1),
            Examples(rows.inputs, wanted[..., at_centres].flatten(1)),
        )
        ink = wanted[..., INKED:AWAY]
        bright = bright_pixels(rows.inputs).flatten(1, 2).float()
        surprise = F.binary_cross_entropy_with_logits(
            said[..., INKED:AWAY], ink, bright, reduction="sum"
        )
        terms["ink"] = WEIGHTS["ink"] * surprise / bright.sum().clamp(min=1)
        apart = (said[..., AWAY:] - wanted[..., AWAY:CHANNELS]).abs()
        error = (apart.unflatten(-1, (PIXELS, 2)).sum(dim=-1) * ink).sum()
        terms["away"] = WEIGHTS["away"] * error / ink.sum().clamp(min=1)
        return terms


def middles() -> Float[Tensor, "down across 2"]:
    """Returns the middles x, y of all pixels in units of places."""
    axis = (torch.arange(SIZE) + 0.5) / SIDE
    return torch.stack(torch.meshgrid(axis, axis, indexing="xy"), dim=-1)


def in_places(
    pixels: Float[Tensor, "canvas 64 64 number"],
) -> Float[Tensor, "canvas down across numbers"]:
    """Returns numbers of pixels, side by side at each place."""
    blocks = pixels.view(len(pixels), GRID, SIDE, GRID, SIDE, -1)
    return blocks.transpose(2, 3).flatten(3)


def in_pixels(
    places: Float[Tensor, "canvas down across numbers"],
) -> Float[Tensor, "canvas 64 64 number"]:
    """Undoes `in_places`."""
    blocks = places.reshape(len(places), GRID, GRID, SIDE, SIDE, -1)
    return blocks.transpose(2, 3).reshape(len(places), SIZE, SIZE, -1)


def bright_pixels(
    rows: Float[Tensor, "canvas pixel"],
) -> Bool[Tensor, "canvas down across pixel_of_place"]:
    """Returns which pixels are ink of a digit or of clutter, not paper."""
    return in_places(rows.view(len(rows), SIZE, SIZE, 1)) > INK


def owners(canvases: Canvases) -> Float[Tensor, "canvas 64 64 2"]:
    """Returns how far away, right and down in places, each pixel's centre is.

    Of the digits of a pixel's kind on its canvas, it is the nearest one's by size.
    """
    away = torch.zeros(len(canvases), SIZE, SIZE, 2)
    least = torch.full(away.shape[:3], torch.inf)
    centre, _ = centres(canvases)
    half = (canvases.boxes[:, 2:] - canvases.boxes[:, :2]) / (2 * SIDE)
    pixels = middles()
    for digit, number in enumerate(canvases.canvas.tolist()):
        gap = centre[digit] - pixels
        far = (gap / half[digit]).abs().amax(dim=-1)
        own = canvases.masks[number] == canvases.labels[digit]
        nearer = own & (far < least[number])
        away[number][nearer] = gap[nearer]
        least[number][nearer] = far[nearer]
    return away


def with_masks(canvases: Canvases) -> Examples:
    """Returns canvases and what `MasksAndTurns` wants at their places."""
    found = labelled(canvases).labels.view(len(canvases), GRID, GRID, -1)
    _, place = centres(canvases)
    turns = torch.zeros(len(canvases), GRID, GRID, 2)
    turns[canvases.canvas, place[:, 1], place[:, 0]] = torch.stack(
        [canvases.turns.cos(), canvases.turns.sin()], dim=1
    )
    ink = (canvases.masks != NOTHING).float().unsqueeze(-1)
    parts = [
        found[..., :-1],
        turns,
        in_places(ink),
        in_places(owners(canvases)),
        found[..., -1:],
    ]
    return Examples(canvases.pictures.flatten(1), torch.cat(parts, dim=-1).flatten(1))


def read(
    network: Network, canvases: Canvases
) -> tuple[Int[Tensor, "canvas 64 64"], Float[Tensor, " digit"]]:
    """Returns the kind of each pixel, and turns where true centres are.

    A digit's pixel is of the kind whose centres are hottest around where it points.
    """
    said = outputs(network, canvases)
    ink = in_pixels(said[..., INKED:AWAY]).squeeze(-1) > 0
    ink &= canvases.pictures > INK
    masks = torch.full(ink.shape, NOTHING)
    masks[ink] = kinds_of(said, ink)
    _, place = centres(canvases)
    turns = said[canvases.canvas, place[:, 1], place[:, 0], INKED - 2 : INKED]
    cos, sin = turns.unbind(dim=1)
    return masks, torch.atan2(sin, cos)


def kinds_of(
    said: Float[Tensor, "canvas down across channel"],
    ink: Bool[Tensor, "canvas 64 64"],
) -> Int[Tensor, " pixel"]:
    """Returns the digit that each pixel of ink belongs to."""
    heat = said[..., :CLASSES].movedim(-1, 1)
    peaks = heat.masked_fill(heat < F.max_pool2d(heat, 3, 1, 1), -torch.inf)
    hot, where = peaks.flatten(1).topk(PEAKS)
    kind, place = where // GRID**2, where % GRID**2
    y, x = place // GRID, place % GRID
    canvas = torch.arange(len(said)).unsqueeze(1).expand_as(where)
    centre = torch.stack([x, y], dim=-1) + said[canvas, y, x, CLASSES : CLASSES + 2]
    points = (middles() + in_pixels(said[..., AWAY:]))[ink]
    number = ink.nonzero()[:, 0]
    far = (points.unsqueeze(1) - centre[number]).square().sum(dim=-1)
    pull = hot[number].sigmoid() * (-far / (2 * NEAR**2)).exp()
    votes = torch.zeros(len(points), CLASSES).scatter_add_(1, kind[number], pull)
    return votes.argmax(dim=1)


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
