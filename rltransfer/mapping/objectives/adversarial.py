"""How far two samples are apart, by what a discriminator can tell."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import final

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F
from typing_extensions import override

from rltransfer.mapping.networks import Network
from rltransfer.mapping.objectives.objective import Weight
from rltransfer.mapping.objectives.sample_gaps import Gap


def reversed_gradient(
    values: Float[Tensor, "*shape"], strength: float
) -> Float[Tensor, "*shape"]:
    """Returns `values`; their gradient comes back times minus `strength`."""
    known = values.detach()
    return known - strength * (values - known)


def rising(last: float) -> Callable[[float], float]:
    """Returns the strength of Ganin et al. (2016), which goes from 0 to nearly `last`.

    A discriminator that has learned nothing yet has nothing to say to features.
    """
    return lambda progress: last * (2 / (1 + math.exp(-10 * progress)) - 1)


@final
@dataclass(frozen=True, eq=False)
class Adversary(Gap):
    """A discriminator tells source from target; features learn that it cannot.

    Domain-adversarial training by gradient reversal (Ganin et al., 2016). The number is
    the discriminator's cross-entropy, log 2 where it can only guess: it **rises** as
    samples come nearer, so restarts must be ranked by something else.

    Args:
        discriminator: from features to one logit, positive for the source. It is fitted
            along with the network, in place; a stack where the network is one.
        strength: of the reversed gradient. The discriminator's own is not scaled.
    """

    discriminator: Network
    strength: Weight = 1.0

    def __post_init__(self) -> None:
        if self.discriminator.outputs != 1:
            raise ValueError(
                "a discriminator has one output, the logit of being source; this one "
                f"has {self.discriminator.outputs}"
            )

    @property
    @override
    def own_networks(self) -> tuple[nn.Module, ...]:
        return (self.discriminator,)

    @override
    def at(self, progress: float) -> "Adversary":
        if not callable(self.strength):
            return self
        return replace(self, strength=self.strength(progress))

    @override
    def __call__(
        self,
        source: Float[Tensor, "*copies seen feature"],
        target: Float[Tensor, "*others row feature"],
    ) -> Float[Tensor, "*stack"]:
        strength = self.strength(1.0) if callable(self.strength) else self.strength
        losses = [
            # softplus(-logit) is -log P(source), softplus(logit) is -log P(target).
            F.softplus(sign * self.discriminator(reversed_gradient(sample, strength)))
            .squeeze(-1)
            .mean(dim=-1)
            for sign, sample in ((-1, source), (1, target))
        ]
        return (losses[0] + losses[1]) / 2
