"""How far two samples are apart, by what it costs to carry one onto the other."""

import math
from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor
from typing_extensions import override

from rltransfer.mapping.objectives.sample_gaps import Gap, squared_distances


@torch.no_grad()
def transport_plan(
    cost: Float[Tensor, "*copies row column"],
    blur: Float[Tensor, "*copies"],
    rounds: int,
) -> Float[Tensor, "*copies row column"]:
    """Returns how much of each row goes to each column, all rows and columns alike.

    Sinkhorn's iterations (Cuturi, 2013) on logarithms, where a small blur underflows
    nothing. The plan minimises cost · plan - blur · entropy(plan) as rounds grow; its
    columns sum to 1 / columns exactly, its rows only nearly.

    Args:
        cost: of carrying a unit from a row to a column.
        blur: weight of the entropy, in units of the cost; near 0 the plan is sharp.
        rounds: how often rows and columns are scaled.
    """
    rows, columns = cost.shape[-2:]
    score = -cost / blur[..., None, None]
    row = cost.new_zeros(*cost.shape[:-2], rows, 1)
    column = cost.new_zeros(*cost.shape[:-2], 1, columns)
    for _ in range(rounds):
        row = -math.log(rows) - (score + column).logsumexp(dim=-1, keepdim=True)
        column = -math.log(columns) - (score + row).logsumexp(dim=-2, keepdim=True)
    return (score + row + column).exp()


@final
@dataclass(frozen=True)
class Transport(Gap):
    """Mean squared distance that rows are carried by the entropic transport plan.

    Between features with labels appended it is DeepJDOT (Damodaran et al., 2018) with
    the squared loss: see `Adaptation.label_weight`. The plan is not differentiated, as
    there: the gradient of the least (cost - blur · entropy) does not need it.

    Args:
        blur: of the plan, in units of the mean cost.
        rounds: see `transport_plan`.
    """

    blur: float = 0.05
    rounds: int = 20

    def __post_init__(self) -> None:
        if self.blur <= 0 or self.rounds < 1:
            raise ValueError(
                "blur must be above 0 and rounds at least 1, got "
                f"{self.blur} and {self.rounds}"
            )

    @override
    def __call__(
        self,
        source: Float[Tensor, "*copies seen feature"],
        target: Float[Tensor, "*others row feature"],
    ) -> Float[Tensor, "*stack"]:
        cost = squared_distances(source, target)
        # Samples that are one point cost nothing, whatever the plan.
        unit = cost.detach().mean(dim=(-2, -1)).clamp(min=1e-12)
        plan = transport_plan(cost.detach(), self.blur * unit, self.rounds)
        return (plan * cost).sum(dim=(-2, -1))
