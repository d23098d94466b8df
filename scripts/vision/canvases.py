"""Canvases of 64 by 64 with 1 to 5 digits and clutter, made from single digits."""

from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from torch import Generator, Tensor
from torch.nn import functional as F

from rltransfer.errors import InputError
from rltransfer.mapping import Examples

SIZE = 64
MOST = 5
"""Digits on a canvas."""
SCALES = (0.7, 1.4)
OVERLAP = 0.2
"""Of two boxes at most: what they share, as a share of the smaller one."""
INK = 0.3
"""Least brightness of a pixel that belongs to a digit."""
STROKES = 6
"""Of clutter, at most; their thickness is about that of digits."""
NOTHING = 10
"""What a pixel belongs to that is no digit's."""
FRAME = 28
_PATCH = 40
"""Holds a digit of any scale."""
HALF = _PATCH / 2
_AT_ONCE = 2000
_TRIES = 50


@final
@dataclass(frozen=True, eq=False)
class Drawn:
    """Digits drawn larger or smaller and turned, one patch each."""

    patches: Float[Tensor, "digit patch patch"]
    labels: Int[Tensor, " digit"]
    turns: Float[Tensor, " digit"]
    """Radians; positive turns go from x to y, which is clockwise as y points down."""

    @classmethod
    def of(
        cls, digits: Examples, turn: float, generator: Generator, shift: float = 0.0
    ) -> "Drawn":
        """Returns every digit once, at a random scale.

        Args:
            digits: rows of 784 pixels.
            turn: most radians that a digit is turned, either way.
            generator: draws scales, turns and shifts.
            shift: most pixels that a digit is moved, in each direction.
        """
        if digits.inputs.shape[1] != FRAME**2:
            raise InputError(
                f"digits must be {FRAME} by {FRAME} pixels, got rows of "
                f"{digits.inputs.shape[1]}; scale them first"
            )
        count = len(digits)
        low, high = SCALES
        scales = low + (high - low) * torch.rand(count, generator=generator)
        turns = turn * (2 * torch.rand(count, generator=generator) - 1)
        moved = shift * (2 * torch.rand(count, 2, generator=generator) - 1)
        # Says of each place of the patch where in the frame it comes from.
        cos, sin = turns.cos() / scales, turns.sin() / scales
        there = torch.stack([cos, sin, -sin, cos], dim=1).view(-1, 2, 2)
        there = there * (_PATCH / FRAME)
        frames = digits.inputs.view(-1, FRAME, FRAME)
        patches = _sampled(frames, there, -there @ (moved / HALF).unsqueeze(2))
        return cls(patches, digits.labels, turns)


def shifted(
    patches: Float[Tensor, "digit patch patch"], moved: Float[Tensor, "digit 2"]
) -> Float[Tensor, "digit patch patch"]:
    """Returns patches moved by x, y in pixels; what leaves a patch is gone."""
    stay = torch.eye(2).expand(len(patches), 2, 2)
    return _sampled(patches, stay, -(moved / HALF).unsqueeze(2))


def _sampled(
    pictures: Float[Tensor, "digit height width"],
    there: Float[Tensor, "digit 2 2"],
    away: Float[Tensor, "digit 2 1"],
) -> Float[Tensor, "digit patch patch"]:
    """Returns patches whose places x come from there · x + away; sides are -1 and 1."""
    parts = []
    for some, where in zip(
        pictures.split(_AT_ONCE),
        torch.cat([there, away], dim=2).split(_AT_ONCE),
        strict=True,
    ):
        places = F.affine_grid(
            where, [len(some), 1, _PATCH, _PATCH], align_corners=False
        )
        part = F.grid_sample(some.unsqueeze(1), places, align_corners=False)
        parts.append(part.squeeze(1))
    return torch.cat(parts)


@final
@dataclass(frozen=True, eq=False)
class Canvases:
    """Pictures, and what is on them."""

    pictures: Float[Tensor, "canvas 64 64"]
    """From 0 to 1."""
    canvas: Int[Tensor, " digit"]
    """On which canvas a digit is; digits are in this order."""
    labels: Int[Tensor, " digit"]
    boxes: Float[Tensor, "digit 4"]
    """Around the ink: left, top, right, bottom in pixels, the last two excluded."""
    turns: Float[Tensor, " digit"]
    """Radians."""
    masks: Int[Tensor, "canvas 64 64"]
    """The digit that a pixel belongs to, or `NOTHING`."""

    def __len__(self) -> int:
        return len(self.pictures)

    def first(self, amount: int) -> "Canvases":
        """Returns so many of them, from the first on."""
        if not 1 <= amount <= len(self):
            raise InputError(f"there are {len(self)} canvases, {amount} are asked for")
        on = self.canvas < amount
        return Canvases(
            self.pictures[:amount],
            self.canvas[on],
            self.labels[on],
            self.boxes[on],
            self.turns[on],
            self.masks[:amount],
        )


def canvases(digits: Examples, amount: int, seed: int, turn: float = 0.0) -> Canvases:
    """Returns canvases with digits drawn from `digits`; every seed draws others.

    Args:
        digits: rows of 784 pixels.
        amount: of canvases.
        seed: of everything that is drawn.
        turn: most radians that a digit is turned, either way.
    """
    rng = np.random.default_rng(seed)
    counts = rng.integers(1, MOST + 1, amount)
    chosen = torch.from_numpy(rng.integers(0, len(digits), int(counts.sum())))
    generator = Generator().manual_seed(int(rng.integers(2**62)))
    drawn = Drawn.of(digits[chosen], turn, generator)
    pictures = _clutter(amount, rng)
    masks = np.full((amount, SIZE, SIZE), NOTHING, np.int8)
    patches, labels = drawn.patches.numpy(), drawn.labels.numpy()
    kept, on, boxes = [], [], []
    last = np.cumsum(counts)
    for number, (start, end) in enumerate(zip(last - counts, last, strict=True)):
        here: list[NDArray[np.float64]] = []
        for digit in range(start, end):
            box = ink_box(patches[digit])
            place = _place(box, here, rng)
            if place is None:
                continue
            _paste(
                pictures[number], masks[number], patches[digit], labels[digit], place
            )
            here.append(box + np.tile(place, 2))
            kept.append(digit)
            on.append(number)
        boxes += here
    return Canvases(
        torch.from_numpy(pictures),
        torch.tensor(on),
        drawn.labels[kept],
        torch.from_numpy(np.array(boxes)).float(),
        drawn.turns[kept],
        torch.from_numpy(masks),
    )


def ink_box(patch: NDArray[np.float32]) -> NDArray[np.float64]:
    """Returns left, top, right and bottom of the ink."""
    down, across = (np.flatnonzero((patch > INK).any(axis=k)) for k in (1, 0))
    if not len(down):
        return np.array([0.0, 0.0, 1.0, 1.0])
    return np.array([across[0], down[0], across[-1] + 1, down[-1] + 1], np.float64)


def _place(
    box: NDArray[np.float64],
    others: list[NDArray[np.float64]],
    rng: np.random.Generator,
) -> NDArray[np.int64] | None:
    """Returns how far to move a box so that it fits, `None` where none was found."""
    for _ in range(_TRIES):
        place = rng.integers(np.ceil(-box[:2]), np.floor(SIZE - box[2:]), endpoint=True)
        moved = box + np.tile(place, 2)
        if all(overlap(moved, other) <= OVERLAP for other in others):
            return place
    return None


def overlap(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Returns what two boxes share, as a share of the smaller one."""
    sides = np.minimum(one[2:], other[2:]) - np.maximum(one[:2], other[:2])
    least = min(np.prod(box[2:] - box[:2]) for box in (one, other))
    return float(np.prod(sides.clip(min=0)) / least)


def _paste(
    picture: NDArray[np.float32],
    mask: NDArray[np.int8],
    patch: NDArray[np.float32],
    label: int,
    place: NDArray[np.int64],
) -> None:
    left, top = place
    there = slice(max(top, 0), top + _PATCH), slice(max(left, 0), left + _PATCH)
    seen = picture[there]
    up, before = max(-top, 0), max(-left, 0)
    part = patch[up : up + seen.shape[0], before : before + seen.shape[1]]
    np.maximum(seen, part, out=seen)
    mask[there][part > INK] = label


def _clutter(amount: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """Returns canvases with short strokes, from none to `STROKES` of them."""
    pictures = np.zeros((amount, SIZE, SIZE), np.float32)
    y, x = np.mgrid[:SIZE, :SIZE] + 0.5
    for picture in pictures:
        for _ in range(rng.integers(STROKES + 1)):
            start, angle = rng.uniform(0, SIZE, 2), rng.uniform(0, 2 * np.pi)
            length, half, bright = rng.uniform([4, 0.6, 0.5], [14, 1.4, 1.0])
            ahead = np.array([np.cos(angle), np.sin(angle)])
            dx, dy = x - start[0], y - start[1]
            along = np.clip(dx * ahead[0] + dy * ahead[1], 0, length)
            far = np.hypot(dx - along * ahead[0], dy - along * ahead[1])
            stroke = bright * np.clip(half + 0.5 - far, 0, 1)
            np.maximum(picture, stroke.astype(np.float32), out=picture)
    return pictures
