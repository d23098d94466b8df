"""What a fit reports: on the way, and at the end."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import final

from jaxtyping import Float, Int
from torch import Tensor

from rltransfer.mapping.objectives.objective import total


@final
class RunningMeans:
    """Means of the terms of each restart, since they were last read."""

    def __init__(self, restarts: int) -> None:
        self._restarts = restarts
        self._sums: dict[str, Tensor] = {}
        self._count = 0

    def add(
        self, terms: dict[str, Float[Tensor, "*copies"]], active: Int[Tensor, " copies"]
    ) -> None:
        """Adds the terms of one batch, of those restarts that are still fitted."""
        for name, term in terms.items():
            term = term.detach().reshape(-1)
            sums = self._sums.setdefault(name, term.new_zeros(self._restarts))
            sums[active] += term
        self._count += 1

    def read(
        self, active: Int[Tensor, " copies"]
    ) -> dict[str, Float[Tensor, " copies"]]:
        """Returns the means of these restarts, and resets all."""
        means = {name: sums[active] / self._count for name, sums in self._sums.items()}
        self._sums, self._count = {}, 0
        return means


@final
@dataclass(frozen=True, eq=False)
class Progress:
    """Where a fit stands; numbers are per restart still fitted, in order.

    A plain network is one restart.
    """

    update: int
    updates: int
    learning_rate: float
    restarts: tuple[int, ...]
    """Their places in the stack the fit began with."""
    terms: dict[str, Float[Tensor, " restarts"]]
    """Contributions to the loss of the batches, averaged since the last call."""
    selection_losses: Float[Tensor, " restarts"] | None
    """Best so far; `None` before the first evaluation."""

    @property
    def losses(self) -> Float[Tensor, " restarts"]:
        """Loss of the batches, averaged since the last call."""
        return total(self.terms)


FitWatcher = Callable[[Progress], None]
"""Called every `report_every` updates and after the last one."""


@final
@dataclass(frozen=True)
class Stop:
    """Why and when a restart was fitted no further."""

    restart: int
    update: int
    reason: str


@final
@dataclass(frozen=True, eq=False)
class FitReport:
    """How a fit went; numbers are per copy that the network still holds."""

    updates: int
    """Updates done; fewer than asked for where every restart stopped."""
    restarts: tuple[int, ...]
    """Place of each copy in the stack the fit began with."""
    losses: Float[Tensor, " copies"]
    """Selection loss of each copy as it now is; not finite where the fit failed."""
    terms: dict[str, Float[Tensor, " copies"]]
    """What `losses` are made of."""
    stops: tuple[Stop, ...]
    """Restarts that did not run to the end, dropped ones among them."""

    @property
    def order(self) -> tuple[int, ...]:
        """Copies of the network, best first; those without a finite loss last."""
        ranked: list[int] = self.losses.nan_to_num(nan=float("inf")).argsort().tolist()
        return tuple(ranked)

    @property
    def best(self) -> int:
        """Place of the best copy in the network."""
        return self.order[0]
