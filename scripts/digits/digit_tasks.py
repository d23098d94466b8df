"""The three tasks: examples to train on and to test on."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import final

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from torch import Generator, Tensor
from torch.nn import functional as F

from digits.digit_files import (
    FASHION_MNIST,
    MNIST,
    Collection,
    Offline,
    contents,
    read_idx,
)
from rltransfer.errors import ArtifactRefused, InputError
from rltransfer.mapping import Examples

BOX, BORDER = 20, 4


def in_frame(
    pictures: Float[Tensor, "row height width"],
) -> Float[Tensor, "row 28 28"]:
    """Returns pictures scaled to MNIST's box of 20 by 20, with its border around them.

    A network trained on MNIST depends on this frame: digits stretched to all of 28 by
    28 are hardly recognised.
    """
    boxed = F.interpolate(pictures.unsqueeze(1), (BOX, BOX), mode="bilinear")
    return F.pad(boxed, (BORDER,) * 4).squeeze(1)


def balanced_subset(examples: Examples, size: str, generator: Generator) -> Examples:
    """Returns so many examples, equally many of each class; or all."""
    if size == "all" or int(size) >= len(examples):
        return examples
    order = torch.randperm(len(examples), generator=generator)
    classes = examples.labels[order]
    share = -(-int(size) // CLASSES)
    chosen = torch.cat([order[classes == k][:share] for k in classes.unique()])
    return examples[chosen[: int(size)]]


CLASSES, PIXELS = 10, 28 * 28
_BUNDLED_TEST = 500


@final
@dataclass(frozen=True, eq=False)
class Task:
    """Pictures in MNIST's frame, one row each, from 0 to 1, and their classes."""

    name: str
    train: Examples
    test: Examples
    of_digits: bool
    """Whether class k means the digit k."""


def source_task(folder: Path | None) -> tuple[Task, str]:
    """Returns MNIST, or offline the bundled digits; and the line that says which."""
    try:
        task = mnist(folder)
    except Offline as fault:
        task = bundled_digits(folder)
        return task, f"Data: scikit-learn's bundled digits, not MNIST, as {fault}"
    return task, f"Data: MNIST, {len(task.train)} to train and {len(task.test)} to test"


def mnist(folder: Path | None) -> Task:
    """Returns MNIST."""
    return Task("MNIST", *_published(MNIST, folder), of_digits=True)


def fashion_mnist(folder: Path | None) -> Task:
    """Returns Fashion-MNIST, whose classes are kinds of clothes."""
    return Task("Fashion-MNIST", *_published(FASHION_MNIST, folder), of_digits=False)


def digit_scans() -> tuple[Float[Tensor, "row 8 8"], Int[Tensor, " row"]]:
    """Returns scikit-learn's 1,797 digits, from 0 to 1, and their labels."""
    try:
        # No type stubs exist for it.
        from sklearn.datasets import load_digits  # type: ignore[import-untyped]
    except ImportError as fault:
        raise InputError(
            "the bundled digits need scikit-learn, which is missing; install it: "
            "pip install 'rltransfer[digits]'"
        ) from fault
    images, labels = load_digits(return_X_y=True)
    scans = torch.from_numpy(images / 16).float().view(-1, 8, 8)
    return scans, torch.from_numpy(labels).long()


def bundled_digits(folder: Path | None) -> Task:
    """Returns scikit-learn's digits in MNIST's frame; the last 500 are the test."""
    del folder  # they are part of scikit-learn
    scans, labels = digit_scans()
    every = Examples(in_frame(scans).flatten(1), labels)
    cut = len(every) - _BUNDLED_TEST
    return Task("digits", every[:cut], every[cut:], of_digits=True)


TARGETS: dict[str, Callable[[Path | None], Task]] = {
    "digits": bundled_digits,
    "fashion-mnist": fashion_mnist,
}
"""By name; the source is a target as well."""


def _published(
    collection: Collection, folder: Path | None
) -> tuple[Examples, Examples]:
    parts: list[tuple[NDArray[np.uint8], str]] = []
    for file, dimensions in zip(collection.files, (3, 1, 3, 1), strict=True):
        data, path = contents(collection, file, folder)
        parts.append((read_idx(data, dimensions, path), path))
    return _examples(*parts[0], *parts[1]), _examples(*parts[2], *parts[3])


def _examples(
    images: NDArray[np.uint8], images_path: str, labels: NDArray[np.uint8], path: str
) -> Examples:
    if images.shape[1:] != (28, 28):
        raise ArtifactRefused(
            f"{images_path} is refused: pictures must be 28 by 28, they are "
            f"{' by '.join(map(str, images.shape[1:]))}"
        )
    if len(labels) != len(images) or labels.max(initial=0) >= CLASSES:
        raise ArtifactRefused(
            f"{path} is refused: {len(images)} labels below {CLASSES} are needed, it "
            f"has {len(labels)} up to {labels.max(initial=0)}"
        )
    pixels = torch.from_numpy(images.reshape(-1, PIXELS).astype(np.float32) / 255)
    return Examples(pixels, torch.from_numpy(labels.astype(np.int64)))
