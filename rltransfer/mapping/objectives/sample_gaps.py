"""How far two samples are apart, by kernel means and by covariances."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor, nn
from typing_extensions import override

from rltransfer.mapping.objectives.unpaired import moments


class Gap(ABC):
    """Compares two samples, which need not be of one size; in stacks, copy by copy.

    A sample without leading dimension is shared by all copies of the other.
    """

    @abstractmethod
    def __call__(
        self,
        source: Float[Tensor, "*copies seen feature"],
        target: Float[Tensor, "*others row feature"],
    ) -> Float[Tensor, "*copies"] | Float[Tensor, "*others"]:
        """Returns one differentiable number per copy; what lowers it draws them near.

        Args:
            source: features, or mapped states, of the source.
            target: the same of the target.
        """

    @property
    def own_networks(self) -> tuple[nn.Module, ...]:
        """Networks of its own, which a fit changes too."""
        return ()

    def at(self, progress: float) -> "Gap":
        """Returns the gap as it stands after this share of the updates."""
        del progress
        return self


def squared_distances(
    one: Float[Tensor, "*copies row feature"],
    other: Float[Tensor, "*others column feature"],
) -> Float[Tensor, "*stack row column"]:
    """Returns the squared Euclidean distances between two samples."""
    squares = one.square().sum(dim=-1).unsqueeze(-1)
    other_squares = other.square().sum(dim=-1).unsqueeze(-2)
    # Rounding can take the distance of a row to itself just below zero.
    return (squares + other_squares - 2 * one @ other.mT).clamp(min=0)


def kernel_mean_gap(
    one: Float[Tensor, "*copies row feature"],
    other: Float[Tensor, "*others column feature"],
    widths: Float[Tensor, "*own width"],
) -> Float[Tensor, "*stack"]:
    """Returns the squared maximum mean discrepancy (MMD) of two samples.

    The distance of their means in the space of a kernel, which is the mean of Gaussian
    ones: the biased estimate of Gretton et al. (2012), several widths as in deep
    adaptation networks (Long et al., 2015).

    Args:
        one: a sample.
        other: another.
        widths: standard deviations of the Gaussians; each copy may have its own.
    """

    def mean_kernel(a: Tensor, b: Tensor) -> Tensor:
        distances = squared_distances(a, b)
        # One by one: all kernels at once would take as many times the memory.
        means = [
            (-distances / (2 * width.square())[..., None, None]).exp().mean((-2, -1))
            for width in widths.unbind(dim=-1)
        ]
        return torch.stack(means).mean(dim=0)

    return (
        mean_kernel(one, one) + mean_kernel(other, other) - 2 * mean_kernel(one, other)
    )


def covariance_gap(
    one: Float[Tensor, "*copies row feature"],
    other: Float[Tensor, "*others column feature"],
) -> Float[Tensor, "*stack"]:
    """Returns |C₁ - C₂|² / 4d², the loss of Deep CORAL (Sun & Saenko, 2016)."""
    gap = moments(one)[1] - moments(other)[1]
    return gap.square().sum(dim=(-2, -1)) / (4 * one.shape[-1] ** 2)


@final
@dataclass(frozen=True)
class KernelMeans(Gap):
    """`kernel_mean_gap` with widths relative to how far the rows lie apart.

    Args:
        widths: in units of the root of the mean squared distance between the samples,
            which is not differentiated: else wider samples would look nearer.
    """

    widths: tuple[float, ...] = (0.25, 0.5, 1.0, 2.0)

    def __post_init__(self) -> None:
        if not self.widths or min(self.widths) <= 0:
            raise ValueError(f"widths must be some, all above 0; got {self.widths}")

    @override
    def __call__(
        self,
        source: Float[Tensor, "*copies seen feature"],
        target: Float[Tensor, "*others row feature"],
    ) -> Float[Tensor, "*stack"]:
        with torch.no_grad():
            unit = squared_distances(source, target).mean(dim=(-2, -1)).sqrt()
            # Samples that are one point have no unit; their gap is 0 by any.
            unit = unit.clamp(min=1e-12)
            widths = unit.unsqueeze(-1) * unit.new_tensor(self.widths)
        return kernel_mean_gap(source, target, widths)


@final
@dataclass(frozen=True)
class Coral(Gap):
    """`covariance_gap`, and the gap of the means beside it.

    Args:
        mean_weight: of |mean₁ - mean₂|² / d, which Deep CORAL does not have. Without it
            nothing holds a constant shift back.
    """

    mean_weight: float = 0.0

    def __post_init__(self) -> None:
        if self.mean_weight < 0:
            raise ValueError(f"mean_weight must be at least 0, got {self.mean_weight}")

    @override
    def __call__(
        self,
        source: Float[Tensor, "*copies seen feature"],
        target: Float[Tensor, "*others row feature"],
    ) -> Float[Tensor, "*stack"]:
        gap = covariance_gap(source, target)
        if not self.mean_weight:
            return gap
        shift = source.mean(dim=-2) - target.mean(dim=-2)
        return gap + self.mean_weight * shift.square().mean(dim=-1)
