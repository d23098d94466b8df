"""What a fit tells: on the way, and at the end."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import final

from jaxtyping import Float
from torch import Tensor


@final
@dataclass(frozen=True, eq=False)
class Progress:
    """Where a fit stands; numbers are per candidate still fitted, in order.

    A plain network is one candidate.
    """

    update: int
    updates: int
    learning_rate: float
    candidates: tuple[int, ...]
    """Their places in the stack the fit began with."""
    terms: dict[str, Float[Tensor, " candidates"]]
    """Contributions to the loss of the batches, averaged since the last call."""
    judged: Float[Tensor, " candidates"] | None
    """Best judged loss so far; `None` before the first judgement."""

    @property
    def losses(self) -> Float[Tensor, " candidates"]:
        """Loss of the batches, averaged since the last call."""
        first, *others = self.terms.values()
        for other in others:
            first = first + other
        return first


Watcher = Callable[[Progress], None]
"""Called every `report_every` updates and after the last one."""


def watchers(*each: Watcher) -> Watcher:
    """Returns one watcher that calls each of these in turn."""

    def call_each(progress: Progress) -> None:
        for watcher in each:
            watcher(progress)

    return call_each


@final
@dataclass(frozen=True)
class Stop:
    """Why and when a candidate was fitted no further."""

    candidate: int
    update: int
    reason: str


@final
@dataclass(frozen=True, eq=False)
class FitReport:
    """How a fit went; numbers are per copy that the network still holds."""

    updates: int
    """Updates done; fewer than asked for where every candidate stopped."""
    candidates: tuple[int, ...]
    """Place of each copy in the stack the fit began with."""
    losses: Float[Tensor, " copies"]
    """Judged loss of each copy as it now is; not finite where the fit failed."""
    terms: dict[str, Float[Tensor, " copies"]]
    """What `losses` are made of."""
    stops: tuple[Stop, ...]
    """Candidates that did not run to the end, dropped ones among them."""

    @property
    def order(self) -> tuple[int, ...]:
        """Copies of the network, best first; those without a finite loss last."""
        ranked: list[int] = self.losses.nan_to_num(nan=float("inf")).argsort().tolist()
        return tuple(ranked)

    @property
    def best(self) -> int:
        """Place of the best copy in the network."""
        return self.order[0]
