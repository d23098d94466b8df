"""Pairs of domains to adapt between, and how the source's pictures are shown."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import final

import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor
from torch.nn import functional as F

from digits.digit_frames import FINE, as_if_in, resampled
from digits.digit_tasks import BORDER, digit_scans, fashion_mnist, mnist
from rltransfer.mapping import Examples

DISTORTION = 0.1
"""Of the source's pictures in the target's frame; see `as_if_in`."""
_HALF = 30_000
_HALF_TARGETS = 1_800


@final
@dataclass(frozen=True, eq=False)
class Pair:
    """Labelled pictures, and others whose labels are for testing alone."""

    name: str
    source: Float[Tensor, "example height width"]
    source_labels: Int[Tensor, " example"]
    target: Float[Tensor, "row size size"]
    target_labels: Int[Tensor, " row"]


View = Callable[[Pair, Generator], tuple[Examples, Tensor]]
"""Returns labelled source pixels, and the target's, in the same frame."""


def as_they_are(pair: Pair, generator: Generator) -> tuple[Examples, Tensor]:
    """Returns the source's pictures at the target's resolution, else unchanged."""
    del generator  # nothing is drawn
    pixels = resampled(pair.source, pair.target.shape[-1]).flatten(1)
    return Examples(pixels, pair.source_labels), pair.target.flatten(1)


def in_the_targets_frame(pair: Pair, generator: Generator) -> tuple[Examples, Tensor]:
    """Returns both with every pixel in units of its own domain.

    Before, the source's pictures are put where the target's are: see `as_if_in`.
    """
    moved = as_if_in(pair.target, pair.source, DISTORTION, generator)
    source, target = (_in_own_units(p.flatten(1)) for p in (moved, pair.target))
    return Examples(source, pair.source_labels), target


VIEWS: dict[str, View] = {
    "as they are": as_they_are,
    "target's frame": in_the_targets_frame,
}


def _in_own_units(pixels: Float[Tensor, "row pixel"]) -> Float[Tensor, "row pixel"]:
    # Pixels of the rim hardly vary; without the floor their noise would count most.
    return (pixels - pixels.mean(dim=0)) / (pixels.std(dim=0) + 0.1)


def _square(examples: Examples) -> Float[Tensor, "row 28 28"]:
    return examples.inputs.view(-1, 28, 28)


def _boxed(examples: Examples) -> Float[Tensor, "row 20 20"]:
    inside = slice(BORDER, -BORDER)
    return _square(examples)[:, inside, inside]


def mnist_to_digits(folder: Path | None) -> Pair:
    """Returns MNIST's box of 20 by 20, and scikit-learn's 1,797 digits of 8 by 8."""
    train = mnist(folder).train
    return Pair(
        "MNIST → scikit-learn digits", _boxed(train), train.labels, *digit_scans()
    )


def mnist_to_16(folder: Path | None) -> Pair:
    """Returns MNIST's box of 20 by 20, and all of its test pictures at 16 by 16.

    So the target's digits are smaller and less sharp.
    """
    task = mnist(folder)
    small = resampled(_square(task.test), 16)
    train = task.train
    return Pair(
        "MNIST → MNIST at 16 by 16",
        _boxed(train),
        train.labels,
        small,
        task.test.labels,
    )


def mnist_halves(folder: Path | None) -> Pair:
    """Returns half of MNIST, and pictures of the other half as another scanner's."""
    train = mnist(folder).train
    return _halves("halves of MNIST", _boxed(train), train.labels)


def fashion_halves(folder: Path | None) -> Pair:
    """Returns half of Fashion-MNIST, and pictures of the other, changed alike."""
    train = fashion_mnist(folder).train
    return _halves("halves of Fashion-MNIST", _square(train), train.labels)


def _halves(
    name: str, pictures: Float[Tensor, "row h w"], labels: Int[Tensor, " row"]
) -> Pair:
    target = slice(_HALF, _HALF + _HALF_TARGETS)
    scanned = _scanned_elsewhere(pictures[target], Generator().manual_seed(123))
    return Pair(name, pictures[:_HALF], labels[:_HALF], scanned, labels[target])


def _scanned_elsewhere(
    pictures: Float[Tensor, "row h w"], generator: Generator
) -> Float[Tensor, "row 8 8"]:
    """Returns pictures narrower, taller, slanted and bolder, at 8 by 8."""
    turn = torch.tensor([[1.25, 0.25], [0.0, 0.9]])
    noise = 0.05 * torch.randn(len(pictures), 2, 3, generator=generator)
    grid = F.affine_grid(
        noise + F.pad(turn, (0, 1)),
        [len(pictures), 1, FINE, FINE],
        align_corners=False,
    )
    fine = F.grid_sample(pictures.unsqueeze(1), grid, align_corners=False)
    scanned = resampled(fine.squeeze(1), 8)
    brightest = scanned.amax(dim=(1, 2), keepdim=True).clamp(min=0.1)
    return (scanned / brightest).pow(0.6)


PAIRS: dict[str, Callable[[Path | None], Pair]] = {
    "digits": mnist_to_digits,
    "mnist-16": mnist_to_16,
}
"""What is measured; none of their target labels has chosen anything."""

HALVES: dict[str, Callable[[Path | None], Pair]] = {
    "mnist-halves": mnist_halves,
    "fashion-halves": fashion_halves,
}
"""By whose target labels weights, distortion and updates were chosen."""
