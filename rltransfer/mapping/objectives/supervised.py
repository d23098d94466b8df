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

Head = Callable[[Tensor], Tensor]
"""Turns features into predictions.

A fit never changes a head; to train it too, make it the last part of the network.
"""


@final
@dataclass(frozen=True, eq=False)
class Examples:
    """Inputs and their labels, one row each.

    Args:
        labels: a class per row, or a row of numbers to be predicted.
    """

    inputs: Float[Tensor, "row inputs"]
    labels: Int[Tensor, " label"] | Float[Tensor, "label outputs"]

    def __post_init__(self) -> None:
        if len(self.inputs) != len(self.labels):
            raise ValueError(
                f"every row needs one input and one label, got {len(self.inputs)} "
                f"inputs and {len(self.labels)} labels"
            )

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, rows: slice | Tensor) -> "Examples":
        if isinstance(rows, slice):
            return Examples(self.inputs[rows], self.labels[rows])
        # Three times as fast as indexing, on rows as wide as an image.
        return Examples(
            self.inputs.index_select(0, rows), self.labels.index_select(0, rows)
        )


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
        if logits.ndim == 2:
            return {"cross_entropy": F.cross_entropy(logits, rows.labels)}
        labels = rows.labels.expand(logits.shape[:-1])
        losses = F.cross_entropy(
            logits.flatten(end_dim=-2), labels.flatten(), reduction="none"
        )
        return {"cross_entropy": losses.view(labels.shape).mean(dim=-1)}

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
