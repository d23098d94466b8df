"""Digits on canvases as labels at the places of a grid, and back."""

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

from digits.digit_tasks import CLASSES
from rltransfer.mapping import AtPlaces, Examples, Network
from vision.average_precision import Boxes
from vision.canvases import Canvases
from vision.digit_reader import GRID, SIDE

OBJECTIVE = AtPlaces(CLASSES, (1.0, 1.0, 0.3, 0.3))
"""Heat for each digit; where in its place a centre is, and width and height, all in
places. CenterNet weighs sizes by 0.1, but in pixels of its grid of 128."""
MOST_FOUND = 30
"""Of a canvas."""
AT_ONCE = 100


def centres(
    canvases: Canvases,
) -> tuple[Float[Tensor, "digit 2"], Int[Tensor, "digit 2"]]:
    """Returns the centres x, y of the boxes in units of places, and their places."""
    centre = (canvases.boxes[:, :2] + canvases.boxes[:, 2:]) / (2 * SIDE)
    return centre, centre.long().clamp(0, GRID - 1)


def labelled(canvases: Canvases) -> Examples:
    """Returns canvases and what `OBJECTIVE` wants at their places.

    Heat falls off as a Gaussian whose deviation is a sixth of the digit's size
    (Zhou, Wang & Krähenbühl, 2019); where two meet, the higher one counts.
    """
    labels = torch.zeros(len(canvases), GRID, GRID, OBJECTIVE.channels + 1)
    centre, place = centres(canvases)
    sizes = (canvases.boxes[:, 2:] - canvases.boxes[:, :2]) / SIDE
    spread = (sizes.prod(dim=1).sqrt() / 6).clamp(min=0.4)
    axis = torch.arange(GRID)
    for digit, (x, y) in enumerate(place.tolist()):
        far = (axis - x).square() + (axis[:, None] - y).square()
        heat = labels[canvases.canvas[digit], :, :, canvases.labels[digit]]
        heat.copy_(torch.maximum(heat, (-far / (2 * spread[digit].square())).exp()))
    numbers = torch.cat([centre - place, sizes, torch.ones(len(sizes), 1)], dim=1)
    labels[canvases.canvas, place[:, 1], place[:, 0], CLASSES:] = numbers
    return Examples(canvases.pictures.flatten(1), labels.flatten(1))


@torch.no_grad()
def outputs(
    network: Network, canvases: Canvases
) -> Float[Tensor, "canvas down across channel"]:
    """Returns what the network says at every place of every canvas."""
    rows = canvases.pictures.flatten(1).split(AT_ONCE)
    said = torch.cat([network(some) for some in rows])
    return said.view(len(canvases), GRID, GRID, -1)


def found(network: Network, canvases: Canvases) -> Boxes:
    """Returns the digits that a network finds: places hotter than those around."""
    said = outputs(network, canvases)
    heat = said[..., :CLASSES].movedim(-1, 1)
    peaks = heat.masked_fill(heat < F.max_pool2d(heat, 3, 1, 1), -torch.inf)
    scores, places = peaks.flatten(1).topk(MOST_FOUND)
    canvas = torch.arange(len(canvases)).unsqueeze(1).expand_as(places)
    kind, place = places // GRID**2, places % GRID**2
    y, x = place // GRID, place % GRID
    numbers = said[canvas, y, x, CLASSES:]
    centre = torch.stack([x, y], dim=-1) + numbers[..., :2]
    half = numbers[..., 2:].clamp(min=1 / SIDE) / 2
    corners = SIDE * torch.cat([centre - half, centre + half], dim=-1)
    is_peak = scores.isfinite()
    return Boxes(
        canvas[is_peak].numpy(),
        kind[is_peak].numpy(),
        corners[is_peak].double().numpy(),
        scores[is_peak].sigmoid().double().numpy(),
    )


def true_boxes(canvases: Canvases) -> Boxes:
    """Returns what is to be found."""
    return Boxes(
        canvases.canvas.numpy(),
        canvases.labels.numpy(),
        canvases.boxes.double().numpy(),
        torch.ones(len(canvases.labels)).double().numpy(),
    )
