"""The objective about where the states of two domains are, not how they move."""

from dataclasses import dataclass
from typing import final

from jaxtyping import Float
from torch import Tensor
from typing_extensions import override

from rltransfer.mapping.networks import DomainMapping
from rltransfer.mapping.objectives.objective import Objective
from rltransfer.mapping.rows import Transitions


def moments(
    states: Float[Tensor, "*copies step state"],
) -> tuple[Float[Tensor, "*copies state"], Float[Tensor, "*copies state state"]]:
    """Returns the mean and the covariance (divided by the number of rows)."""
    mean = states.mean(dim=-2)
    centred = states - mean.unsqueeze(-2)
    return mean, centred.transpose(-1, -2) @ centred / states.shape[-2]


@final
@dataclass(frozen=True, eq=False)
class MomentMatching(Objective[DomainMapping, Transitions]):
    """Penalises mapped states whose mean and covariance differ from the source's.

    It guards against maps that shrink everything to a point. The covariance term is
    that of Deep CORAL (Sun & Saenko, 2016). Both are relative: to the source's mean
    variance and to its mean squared covariance, so units do not matter.

    Args:
        mean: of the source's states.
        covariance: of the source's states.
    """

    mean: Float[Tensor, " state"]
    covariance: Float[Tensor, "state state"]

    def __post_init__(self) -> None:
        if not self.covariance.diagonal().mean() > 0:
            raise ValueError("moments need source states that differ; all are equal")

    @classmethod
    def of(cls, states: Float[Tensor, "step state"]) -> "MomentMatching":
        """Returns the objective for the moments of these source states."""
        return cls(*moments(states))

    @override
    def terms(
        self, network: DomainMapping, rows: Transitions
    ) -> dict[str, Float[Tensor, "*copies"]]:
        mean, covariance = moments(network.state(rows.observation))
        # CORAL has no such term; without it a bias in the mapping is free to drift.
        mean_gap = (mean - self.mean).square().mean(dim=-1)
        covariance_gap = (covariance - self.covariance).square().mean(dim=(-2, -1))
        return {
            "mean": mean_gap / self.covariance.diagonal().mean(),
            "covariance": covariance_gap / self.covariance.square().mean(),
        }
