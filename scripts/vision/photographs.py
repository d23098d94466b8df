"""Faces and photographs that scikit-image ships, and windows of both."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Generator, Tensor
from torch.nn import functional as F

from rltransfer.errors import InputError

SIDE, CELLS, BINS = 25, 12, 8
"""Pixels and cells across a window, and directions of a cell's gradients."""
WITHOUT_FACES = (
    *("grass", "gravel", "moon", "cell", "chelsea", "immunohistochemistry", "horse"),
    *("hubble_deep_field", "retina", "stereo_motorcycle", "logo", "colorwheel"),
)
"""Pictures that windows without a face are taken from."""
HELD_BACK = ("coffee", "rocket", "clock")
"""Photographs without a face that tell what is sure enough."""
REFUSED = ("coins", "page", "text", "brick")
"""Photographs without a face that nothing is trained with."""
ASTRONAUT = (173.0, 62.0, 275.0, 190.0)
"""Box of the astronaut's face, drawn by hand: left, top, right, bottom in pixels."""
LONGEST, SMALLER = 160, 1.2
"""Pixels of the longer side at the start of a search, and each step's divisor."""

Picture = Float[Tensor, "height width"]
"""Grey, from 0 to 1."""
Patches = Float[Tensor, "patch 25 25"]
Rows = Float[Tensor, "window 1296"]
"""Of 12 by 12 cells: eight directions and grey."""


def photograph(name: str) -> Picture:
    """Returns one of scikit-image's photographs in grey."""
    data = _skimage_data()
    every = getattr(data, name)()
    found = np.asarray(every[0] if isinstance(every, tuple) else every) / 255.0
    if found.ndim == 3:
        # The weights of ITU-R BT.709, as scikit-image has them.
        found = found[..., :3] @ np.array([0.2125, 0.7154, 0.0721])
    return torch.from_numpy(found).float()


def _skimage_data() -> Any:
    try:
        from skimage import data
    except ImportError as fault:
        raise InputError(
            "faces and photographs are those of scikit-image, which is missing; "
            "install it: pip install 'rltransfer[faces]'"
        ) from fault
    return data


def face_patches() -> tuple[Patches, Tensor]:
    """Returns 100 faces and 100 patches without one, and whether each is a face."""
    patches = torch.from_numpy(_skimage_data().lfw_subset()).float()
    return patches, (torch.arange(200) < 100).long()


def resized(picture: Picture, height: int, width: int) -> Picture:
    """Returns a picture of that size, smoothed where it becomes smaller."""
    scaled = F.interpolate(
        picture[None, None], (height, width), mode="bilinear", antialias=True
    )
    return scaled[0, 0]


def cells(
    pictures: Float[Tensor, "picture height width"],
) -> Float[Tensor, "picture 9 row column"]:
    """Returns how steep each 2 by 2 pixels are in eight directions, and their grey.

    Histograms of oriented gradients (Dalal & Triggs, 2005).
    """
    above, below = pictures[:, :-1], pictures[:, 1:]
    a, b, c, d = above[..., :-1], above[..., 1:], below[..., :-1], below[..., 1:]
    across, down = (b + d - a - c) / 2, (c + d - a - b) / 2
    turn = torch.atan2(down, across)[:, None] * BINS / (2 * np.pi) % BINS
    far = (turn - torch.arange(BINS).view(BINS, 1, 1)).abs()
    share = (1 - torch.minimum(far, BINS - far)).clamp(min=0)
    steep = torch.hypot(across, down)[:, None] * share
    grey = (a + b + c + d)[:, None] / 4
    return F.avg_pool2d(torch.cat([steep, grey], dim=1), 2)


def evened(windows: Float[Tensor, "window 9 12 12"]) -> Rows:
    """Returns windows as rows that light and contrast do not change much."""
    steep, grey = windows.split([BINS, 1], dim=1)
    grey = grey - grey.mean((2, 3), keepdim=True)
    grey = grey / (grey.std((2, 3), keepdim=True) + 0.03)
    total = steep.sum(1, keepdim=True)
    near = F.avg_pool2d(total, 5, 1, 2, count_include_pad=False)
    least = total.mean((2, 3), keepdim=True) / 2 + 0.005
    both = torch.cat([4 * steep / (near + least), grey], dim=1)
    return both.movedim(1, -1).flatten(1)


def windows(picture: Picture, step: int) -> Iterator[tuple[Rows, NDArray[np.float32]]]:
    """Yields windows of a picture and their boxes, at one size after the other.

    Args:
        picture: becomes smaller until a window is all of it.
        step: cells from a window to the next.
    """
    scale = min(1.0, LONGEST / max(picture.shape))
    while min(picture.shape) * scale >= SIDE:
        height, width = (round(size * scale) for size in picture.shape)
        grid = cells(resized(picture, height, width)[None])[0]
        every = grid.unfold(1, CELLS, step).unfold(2, CELLS, step).movedim(0, 2)
        rows, columns = every.shape[:2]
        start = 2.0 * step * np.indices((rows, columns))[::-1].reshape(2, -1).T
        stretch = np.tile(np.divide(picture.shape[::-1], (width, height)), 2)
        boxes = np.hstack([start, start + SIDE]) * stretch
        yield evened(every.flatten(0, 1)), boxes.astype(np.float32)
        scale /= SMALLER


def augmented(patches: Patches, times: int, seed: int) -> Patches:
    """Returns patches `times` over, turned, moved, mirrored, blurred, lit anew."""
    rng = np.random.default_rng(seed)
    patches = patches.repeat(times, 1, 1)

    def drawn(low: float, high: float) -> Tensor:
        return torch.from_numpy(rng.uniform(low, high, len(patches))).float()

    turn, size, mirror = drawn(-0.2, 0.2), drawn(0.85, 1.15), drawn(-1, 1).sign()
    cosine, sine = size * turn.cos(), size * turn.sin()
    first = torch.stack([mirror * cosine, -sine, drawn(-0.1, 0.1)], dim=1)
    second = torch.stack([mirror * sine, cosine, drawn(-0.1, 0.1)], dim=1)
    shape = [len(patches), 1, SIDE, SIDE]
    grid = F.affine_grid(torch.stack([first, second], 1), shape, align_corners=False)
    moved = F.grid_sample(
        patches[:, None], grid, padding_mode="reflection", align_corners=False
    )
    blurred = F.avg_pool2d(moved, 3, 1, 1, count_include_pad=False)
    # Below 0: sharpened.
    moved += drawn(-0.4, 0.8).view(-1, 1, 1, 1) * (blurred - moved)
    light, contrast = (
        drawn(*ends).view(-1, 1, 1) for ends in ((-0.1, 0.1), (0.6, 1.4))
    )
    noise = torch.from_numpy(rng.normal(0, 1, patches.shape)).float()
    grain = drawn(0, 0.03).view(-1, 1, 1) * noise
    return ((moved[:, 0] - 0.5) * contrast + 0.5 + light + grain).clamp(0, 1)


def blended(faces: Patches, amount: int, seed: int) -> Patches:
    """Returns faces that are each a weighted mean of two, one of them mirrored."""
    rng = np.random.default_rng(seed)
    one, other = torch.from_numpy(rng.integers(len(faces), size=(2, amount)))
    spread, mean = torch.std_mean(faces, dim=(1, 2), keepdim=True)
    even = (faces - mean) / spread.clamp(min=0.02)
    share = torch.from_numpy(rng.uniform(0.3, 1, (amount, 1, 1))).float()
    both = share * even[one] + (1 - share) * even[other].flip(2)
    return (0.5 + 0.2 * both).clamp(0, 1)


def balanced_halves(
    labels: Tensor, share: float, seed: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Returns places to train with and places held out, equally many of each class."""
    generator = Generator().manual_seed(seed)
    kept, held = [], []
    for kind in labels.unique():
        places = (labels == kind).nonzero().squeeze(1)
        places = places[torch.randperm(len(places), generator=generator)]
        cut = round(share * len(places))
        held.append(places[:cut])
        kept.append(places[cut:])
    return torch.cat(kept).numpy(), torch.cat(held).numpy()
