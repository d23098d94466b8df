"""The source of the vision scripts: a classifier that reads the digit at a place."""

from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from jaxtyping import Float
from torch import Generator, Tensor

from digits.digit_tasks import CLASSES
from rltransfer.mapping import (
    Affine,
    AtEveryPlace,
    Chain,
    Convolutions,
    CrossEntropy,
    Examples,
    FitConfig,
    fit,
)
from vision.canvases import SIZE, Drawn, ink_box, shifted

SIDE = 4
"""Pixels of a picture to a place of the grid."""
GRID = SIZE // SIDE
"""Places of a canvas, down and across."""
LAYERS = ((16, 2, 1), (32, 2, 1), (64, 1, 1), (64, 1, 2))
JOINED = (0, 1, 2, 3, 4)
"""Depths that are handed on: all. The picture says where ink is, the first two layers
what strokes, the last two what stands around, as they see 15 and 31 pixels."""
WINDOW = 32
"""Pixels that the source reads, in each direction."""
MIDDLE = 4
"""The place, down and across, that the source's digits lie around."""
SHIFT = 2.0
"""Most pixels that the source's digits are moved: half a place."""
NEIGHBOURS, DISTANCES, EMPTY = 2, (15.0, 28.0), 1 / 3
"""At most so many other digits reach into a window, from so many pixels away; each of
them is missing in this share of windows."""
BATCH, LEARNING_RATE, UPDATES = 32, 4e-3, 3000
MEASURED = 2000
"""Digits whose mean size is taken."""


@final
@dataclass(frozen=True, eq=False)
class DigitReader:
    """A trunk, and behind it a linear classifier at every place of its grid."""

    network: Chain
    """Trunk for `WINDOW`, and classifier."""
    size: tuple[float, float]
    """Mean width and height of its digits in pixels, at all scales."""
    right: float
    """Per cent of the test digits that it reads."""

    @property
    def trunk(self) -> Convolutions:
        """The trunk for canvases, with copies of the weights."""
        trunk = self.network[0]
        assert isinstance(trunk, Convolutions)
        return trunk.sized(SIZE, SIZE)

    @property
    def classifier(self) -> Affine:
        """What reads the features of one place."""
        places = self.network[1]
        assert isinstance(places, AtEveryPlace)
        assert isinstance(places.network, Affine)
        return places.network


def untrained(side: int, generator: Generator) -> Convolutions:
    """Returns the trunk for pictures of this side, with drawn weights."""
    return Convolutions(side, side, 1, LAYERS, JOINED, generator=generator)


def in_the_middle(
    logits: Float[Tensor, "row outputs"],
) -> Float[Tensor, "row class"]:
    """Returns what is read at the place that digits of the source lie around."""
    places = WINDOW // SIDE
    grid = logits.view(len(logits), places, places, CLASSES)
    return grid[:, MIDDLE, MIDDLE]


def windows(digits: Examples, generator: Generator, turn: float = 0.0) -> Examples:
    """Returns each digit around the middle place of a window; others may reach in.

    Labels are of the digit in the middle, as in street view's house numbers (Netzer et
    al., 2011).
    """
    middle = Drawn.of(digits, turn, generator, shift=SHIFT).patches
    for _ in range(NEIGHBOURS):
        middle = torch.maximum(middle, _beside(middle, generator))
    start = middle.shape[1] // 2 - MIDDLE * SIDE - SIDE // 2
    inner = middle[:, start : start + WINDOW, start : start + WINDOW]
    return Examples(inner.flatten(1), digits.labels)


def _beside(
    patches: Float[Tensor, "digit patch patch"], generator: Generator
) -> Float[Tensor, "digit patch patch"]:
    """Returns the patches in another order, moved off the middle; a third is empty."""
    count, size = patches.shape[:2]
    order = torch.randperm(count, generator=generator)
    turn = 2 * torch.pi * torch.rand(count, generator=generator)
    near, far = DISTANCES
    away = near + (far - near) * torch.rand(count, generator=generator)
    away[torch.rand(count, generator=generator) < EMPTY] = 2 * size
    moved = torch.stack([turn.cos(), turn.sin()], dim=1) * away.unsqueeze(1)
    return shifted(patches[order], moved)


def train_reader(
    train: Examples, test: Examples, seed: int, updates: int, turn: float = 0.0
) -> DigitReader:
    """Returns the source, trained on single digits and their names alone.

    Args:
        train: rows of 784 pixels.
        test: likewise.
        seed: of weights, scales, shifts and batches.
        updates: of the training.
        turn: most radians that digits are turned, either way; it is not told which.
    """
    generator = Generator().manual_seed(seed)
    trunk = untrained(WINDOW, generator)
    places = trunk.grid[0] * trunk.grid[1]
    classifier = Affine(trunk.features, CLASSES, generator=generator)
    network = Chain(trunk, AtEveryPlace(classifier, places))
    config = FitConfig(
        updates=updates,
        batch_size=BATCH,
        learning_rate=LEARNING_RATE,
        validation_share=0.01,  # of what is only reported: nothing is selected
    )
    rows = windows(train, generator, turn)
    fit(network, CrossEntropy(in_the_middle), rows, config, generator=generator)
    alone = Drawn.of(train[:MEASURED], turn, generator).patches.numpy()
    boxes = np.array([ink_box(patch) for patch in alone])
    width, height = (boxes[:, 2:] - boxes[:, :2]).mean(axis=0).tolist()
    rows = windows(test, generator, turn)
    with torch.no_grad():
        parts = [in_the_middle(network(part)) for part in rows.inputs.split(500)]
    right = float((torch.cat(parts).argmax(dim=1) == rows.labels).float().mean())
    return DigitReader(network, (width, height), 100 * right)
