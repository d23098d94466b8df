"""Pictures of one domain in the frame of another, from what both look like."""

from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float
from torch import Generator, Tensor
from torch.nn import functional as F

FINE = 32
"""Pictures are drawn this fine and averaged to their size, as scanners do."""
_AT_ONCE = 10_000


@final
@dataclass(frozen=True, eq=False)
class Frame:
    """Where the ink of pictures lies; x to the right, y down, in [-1, 1].

    Ink of mean 0 and covariance 1 goes there by centre + [[x, slant · y], [0, y]].
    """

    numbers: Float[Tensor, "picture 5"]
    """Mean x and y, the logarithms of two spreads, the slant."""

    @classmethod
    def of(cls, pictures: Float[Tensor, "picture height width"]) -> "Frame":
        """Returns where the ink of each picture lies."""
        ink = pictures / pictures.sum(dim=(1, 2), keepdim=True).clamp(min=1e-6)
        y, x = (
            (2 * torch.arange(size, dtype=torch.float) + 1) / size - 1
            for size in pictures.shape[1:]
        )
        on_x, on_y = ink.sum(dim=1), ink.sum(dim=2)
        mean_x, mean_y = on_x @ x, on_y @ y
        both = torch.einsum("pyx,y,x->p", ink, y, x) - mean_x * mean_y
        # Blank pictures and lone pixels have no spread of their own.
        var_y = (on_y @ y.square() - mean_y.square()).clamp(min=FINE**-2)
        slant = both / var_y
        var_x = on_x @ x.square() - mean_x.square() - slant * both
        log_x, log_y = (v.clamp(min=FINE**-2).log() / 2 for v in (var_x, var_y))
        return cls(torch.stack([mean_x, mean_y, log_x, log_y, slant], dim=1))

    def spread_like(self, other: "Frame") -> "Frame":
        """Returns frames with the means and deviations of the other's numbers."""
        mine, theirs = self.numbers, other.numbers
        white = (mine - mine.mean(dim=0)) / mine.std(dim=0).clamp(min=1e-6)
        return Frame(theirs.mean(dim=0) + white * theirs.std(dim=0))

    @property
    def centre(self) -> Float[Tensor, "picture 2"]:
        """Mean of the ink."""
        return self.numbers[:, :2]

    @property
    def factor(self) -> Float[Tensor, "picture 2 2"]:
        """Triangular factor of the ink's covariance."""
        x, y = self.numbers[:, 2:4].exp().unbind(dim=1)
        slant = self.numbers[:, 4]
        rows = torch.stack([x, slant * y, torch.zeros_like(x), y], dim=1)
        return rows.view(-1, 2, 2)


def resampled(
    pictures: Float[Tensor, "picture height width"], size: int
) -> Float[Tensor, "picture size size"]:
    """Returns pictures of another size, each pixel a mean of what it covers."""
    return F.interpolate(pictures.unsqueeze(1), (size, size), mode="area").squeeze(1)


def as_if_in(
    target: Float[Tensor, "example size size"],
    pictures: Float[Tensor, "picture height width"],
    distortion: float,
    generator: Generator,
) -> Float[Tensor, "picture size size"]:
    """Returns pictures whose ink lies as the target's does, with as much of it.

    Every picture is moved, scaled and slanted so that over all of them the numbers of
    their frames have the target's means and deviations, then distorted at random. At
    last a power of the intensities, one for all, gives them the target's mean.

    Args:
        target: unlabelled pictures.
        pictures: what is carried over.
        distortion: standard deviation of each entry of an affine map near the identity,
            in units of the ink's spread; 0 distorts nothing.
        generator: draws the distortions.
    """
    size = target.shape[-1]
    here = Frame.of(pictures)
    there = here.spread_like(Frame.of(target))
    noise = distortion * torch.randn(len(pictures), 2, 3, generator=generator)
    # The grid says for each place of the result where it comes from.
    turn = here.factor @ (torch.eye(2) + noise[:, :, :2]) @ there.factor.inverse()
    shift = here.centre.unsqueeze(2) + here.factor @ noise[:, :, 2:]
    shift = shift - turn @ there.centre.unsqueeze(2)
    drawn = []
    for some, grid in zip(
        pictures.split(_AT_ONCE),
        torch.cat([turn, shift], dim=2).split(_AT_ONCE),
        strict=True,
    ):
        places = F.affine_grid(grid, [len(some), 1, FINE, FINE], align_corners=False)
        fine = F.grid_sample(some.unsqueeze(1), places, align_corners=False)
        drawn.append(resampled(fine.squeeze(1), size))
    return with_mean(torch.cat(drawn), float(target.mean()))


def with_mean(
    pictures: Float[Tensor, "picture size size"], mean: float
) -> Float[Tensor, "picture size size"]:
    """Returns intensities to the power, one for all, that gives them this mean."""
    low, high = 0.1, 10.0
    for _ in range(20):
        power = (low * high) ** 0.5
        if pictures.pow(power).mean() > mean:
            low = power
        else:
            high = power
    return pictures.pow(power)
