"""What draws mapped states to where the source's lie, while a map is fitted.

Agreement about how states move alone is had most cheaply by a map that shrinks the
target to a point; this term keeps fits from it. By default it is `MomentMatching`; the
objectives of domain adaptation can take its place.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import torch
from jaxtyping import Float
from torch import Generator, Tensor

from rltransfer.mapping import (
    Adversary,
    Coral,
    DomainMapping,
    Gap,
    KernelMeans,
    Mlp,
    MomentMatching,
    Objective,
    SampleMatching,
    Transitions,
    Transport,
)

MOMENTS = "moments"
_SEEN = 256
"""States of the source that every batch is compared with."""
_HIDDEN = 32
"""Units of the discriminator."""


def _adversary(size: int, copies: int | None, generator: Generator) -> Gap:
    return Adversary(Mlp(size, [_HIDDEN], 1, copies=copies, generator=generator))


_GAPS: Mapping[str, Callable[[int, int | None, Generator], Gap]] = MappingProxyType(
    {
        "mmd": lambda size, copies, generator: KernelMeans(),
        "coral": lambda size, copies, generator: Coral(mean_weight=1.0),
        "transport": lambda size, copies, generator: Transport(),
        "adversary": _adversary,
    }
)
MOMENT_TERMS = (MOMENTS, *_GAPS)
"""Names of what there is."""


def moment_term(
    name: str,
    states: Float[Tensor, "step state"],
    copies: int | None,
    generator: Generator,
) -> Objective[DomainMapping, Transitions]:
    """Returns a term by its name.

    Args:
        name: of `MOMENT_TERMS`.
        states: of the source, acting at random.
        copies: of the mappings that are fitted; None for a plain one.
        generator: of the states that are drawn, and of a discriminator's weights.
    """
    if name == MOMENTS:
        return MomentMatching.of(states)
    chosen = torch.randperm(len(states), generator=generator)[:_SEEN]
    return SampleMatching(
        _GAPS[name](states.shape[1], copies, generator), states[chosen]
    )
