"""Supervised objectives: a label for every row, predicted through a given head."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import final

from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F
from typing_extensions import override

from rltransfer.errors import InputError
from rltransfer.mapping.objectives.objective import Objective
from rltransfer.mapping.rows import Examples

Head = Callable[[Tensor], Tensor]
"""Turns features into predictions.

A fit never changes a head; to train it too, make it the last part of the network.
"""


def mean_cross_entropy(
    logits: Float[Tensor, "*copies row class"], labels: Int[Tensor, " row"]
) -> Float[Tensor, "*copies"]:
    """Returns the mean cross-entropy, in nats, of labels that all copies share."""
    if logits.ndim == 2:
        return F.cross_entropy(logits, labels)
    labels = labels.expand(logits.shape[:-1])
    losses = F.cross_entropy(
        logits.flatten(end_dim=-2), labels.flatten(), reduction="none"
    )
    return losses.view(labels.shape).mean(dim=-1)


@final
@dataclass(frozen=True, eq=False)
class CrossEntropy(Objective[Head, Examples]):
    """Mean cross-entropy, in nats, of the labels after the head."""

    head: Head = field(default_factory=nn.Identity)

    @override
    def terms(
        self, network: Head, rows: Examples
    ) -> dict[str, Float[Tensor, "*copies"]]:
        logits = self.head(network(rows.inputs))
        return {"cross_entropy": mean_cross_entropy(logits, rows.labels)}

    @override
    def check(self, rows: Examples) -> None:
        if rows.labels.is_floating_point():
            raise InputError(
                "CrossEntropy needs a class per row, got numbers; use Regression"
            )


@final
@dataclass(frozen=True, eq=False)
class Regression(Objective[Head, Examples]):
    """Mean squared error, over rows and outputs, after the head."""

    head: Head = field(default_factory=nn.Identity)

    @override
    def terms(
        self, network: Head, rows: Examples
    ) -> dict[str, Float[Tensor, "*copies"]]:
        error = self.head(network(rows.inputs)) - rows.labels
        return {"squared_error": error.square().mean(dim=(-2, -1))}

    @override
    def check(self, rows: Examples) -> None:
        if not rows.labels.is_floating_point():
            raise InputError(
                "Regression needs a row of numbers per label, got classes; "
                "use CrossEntropy"
            )
