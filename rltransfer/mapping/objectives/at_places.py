"""Supervised objectives at the places of a grid: heat maps, numbers, classes.

Outputs and labels of a row lie place after place. A label has a number for every
channel of the network, and one more at its end: 1 where a thing has its centre, else 0.
"""

from dataclasses import dataclass
from typing import final

from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F
from typing_extensions import override

from rltransfer.errors import InputError
from rltransfer.mapping.objectives.objective import Objective
from rltransfer.mapping.objectives.supervised import Head
from rltransfer.mapping.rows import Examples


def heat_loss(
    logits: Float[Tensor, "*copies row place kind"],
    heat: Float[Tensor, "row place kind"],
) -> Float[Tensor, "*copies"]:
    """Returns the penalty-reduced focal loss, per centre.

    Zhou, Wang & Krähenbühl (2019), equation 1, its powers 2 and 4: places near a
    centre count less as negatives than those far from all.

    Args:
        logits: of the heat.
        heat: 1 at a centre of a kind, falling to 0 around it.
    """
    hot = F.logsigmoid(logits)
    cold = F.logsigmoid(-logits)
    found = hot.exp()
    centre = (heat == 1).to(heat.dtype)
    gain = centre * (1 - found).square() * hot
    gain = gain + (1 - centre) * (1 - heat).pow(4) * found.square() * cold
    return -gain.sum(dim=(-3, -2, -1)) / centre.sum().clamp(min=1)


def centre_error(
    found: Float[Tensor, "*copies row place number"],
    numbers: Float[Tensor, "row place number"],
    centre: Float[Tensor, "row place"],
) -> Float[Tensor, "*copies"]:
    """Returns the absolute error at centres, summed over numbers, per centre.

    Zhou, Wang & Krähenbühl (2019), equations 2 and 3.
    """
    error = (found - numbers).abs().sum(dim=-1) * centre
    return error.sum(dim=(-2, -1)) / centre.sum().clamp(min=1)


@final
@dataclass(frozen=True, eq=False)
class AtPlaces(Objective[Head, Examples]):
    """Wants the first channels to be logits of heat maps, others numbers at centres."""

    kinds: int
    """Heat maps, one for each kind of thing; 0 for numbers alone."""
    weights: tuple[float, ...] = ()
    """Of each number that stands behind the heat maps, such as the width of a thing."""

    def __post_init__(self) -> None:
        if self.kinds < 0 or not self.channels:
            raise ValueError(f"a heat map or a number is needed, got {self}")

    @property
    def channels(self) -> int:
        """Numbers that the network gives at each place."""
        return self.kinds + len(self.weights)

    @override
    def terms(
        self, network: Head, rows: Examples
    ) -> dict[str, Float[Tensor, "*copies"]]:
        found = network(rows.inputs).unflatten(-1, (-1, self.channels))
        wanted = rows.labels.view(len(rows), -1, self.channels + 1)
        terms = {}
        if self.kinds:
            heat = wanted[..., : self.kinds]
            terms["heat"] = heat_loss(found[..., : self.kinds], heat)
        if self.weights:
            scale = found.new_tensor(self.weights)
            numbers = slice(self.kinds, self.channels)
            terms["numbers"] = centre_error(
                found[..., numbers] * scale,
                wanted[..., numbers] * scale,
                wanted[..., -1],
            )
        return terms

    @override
    def check(self, rows: Examples) -> None:
        if not rows.labels.is_floating_point():
            raise InputError(
                "AtPlaces needs numbers at every place, got classes; use CrossEntropy"
            )
        if rows.labels.shape[1] % (self.channels + 1):
            raise InputError(
                f"labels need {self.channels + 1} numbers at every place, got "
                f"{rows.labels.shape[1]} in a row; lay them out anew"
            )
