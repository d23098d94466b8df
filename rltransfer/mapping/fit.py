"""Fitting a network, or a stack of restarts, to an objective by Adam."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, final

import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor, nn

from rltransfer.errors import InputError
from rltransfer.mapping.objectives.objective import Objective, total
from rltransfer.mapping.rows import Rows, batches, held_out
from rltransfer.mapping.stacked_adam import Restarts, Stop

_ROWS_AT_ONCE = 1024
"""Of a selection loss; more would only cost memory."""


@final
@dataclass(frozen=True)
class FitConfig:
    """How long and how fast to fit; the defaults suit a few dozen small restarts."""

    updates: int = 500
    batch_size: int = 256
    learning_rate: float = 1e-2
    final_rate_share: float = 0.025
    """Share of `learning_rate` left at the end of a linear decay; 1: constant."""
    validation_share: float = 0.0
    """Share of the rows held out for the selection loss; 0: those fitted to serve."""
    evaluate_every: int | None = None
    """Updates between selection losses; `None`: at halvings and at the end only.

    Of the states in which a restart was evaluated, the best is kept.
    """
    patience: int | None = None
    """Evaluations in a row without improvement after which a restart stops."""
    halvings: tuple[tuple[float, float], ...] = ()
    """Pairs (share of the updates done, share of the first restarts going on).

    Successive halving (Jamieson & Talwalkar, 2016).
    """
    report_every: int = 50
    """Updates between two calls of the watcher."""

    def __post_init__(self) -> None:
        every, patience = self.evaluate_every, self.patience
        shares = all(0 < done < 1 and 0 < on <= 1 for done, on in self.halvings)
        ordered = all(
            sooner < later and more >= fewer
            for (sooner, more), (later, fewer) in pairwise(self.halvings)
        )
        for name, holds, rule in (
            ("updates", self.updates >= 1, "at least 1"),
            ("batch_size", self.batch_size >= 1, "at least 1"),
            ("report_every", self.report_every >= 1, "at least 1"),
            ("learning_rate", self.learning_rate > 0, "above 0"),
            ("final_rate_share", 0 <= self.final_rate_share <= 1, "in [0, 1]"),
            ("validation_share", 0 <= self.validation_share < 1, "in [0, 1)"),
            ("evaluate_every", every is None or every >= 1, "at least 1 or None"),
            ("patience", patience is None or patience >= 1, "at least 1 or None"),
            ("halvings", shares, "pairs of shares in (0, 1)"),
            ("halvings", ordered, "in order, ever fewer"),
        ):
            if not holds:
                raise InputError(f"{name} must be {rule}, got {getattr(self, name)}")
        if patience is not None and every is None:
            raise InputError("patience counts evaluations; set evaluate_every too")

    def rate(self, progress: float) -> float:
        """Returns the learning rate after this share of the updates."""
        return self.learning_rate * (1 - (1 - self.final_rate_share) * progress)

    def evaluates_at(self, update: int) -> bool:
        """Returns whether restarts are evaluated after this update anyway."""
        return self.evaluate_every is not None and update % self.evaluate_every == 0

    def reports_at(self, update: int) -> bool:
        """Returns whether the watcher is called after this update."""
        return update % self.report_every == 0 or update == self.updates

    def survivors(self, restarts: int) -> dict[int, int]:
        """Returns after which updates how many of so many restarts go on."""
        return {
            max(1, round(done * self.updates)): math.ceil(going_on * restarts)
            for done, going_on in self.halvings
        }


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


def fit(
    network: nn.Module,
    objective: Objective[Any, Any],
    rows: Rows,
    config: FitConfig,
    *,
    generator: Generator,
    ranked_by: Objective[Any, Any] | None = None,
    watch: FitWatcher | None = None,
) -> FitReport:
    """Fits every copy in `network`, in place, and leaves each in its best state.

    Copies are restarts: they see the same batches and do not touch each other, so a
    stack ends where its copies would alone. One whose loss or gradient is not finite
    stops in its last finite state while the others go on. Those that halving drops are
    not in the network afterwards.

    Args:
        network: what is fitted: all its parameters that require a gradient, and those
            of the objective's own networks.
        objective: what it is fitted to.
        rows: transitions, or examples, as the objective needs them.
        config: how long and how fast.
        generator: draws the held-out rows and the batches.
        ranked_by: the selection loss; `None`: the objective at its end.
        watch: called with the progress, every `report_every` updates.

    Raises:
        InputError: the objective cannot be applied to these rows, or they are too few.
    """
    selection = (ranked_by or objective).at(1.0)
    objective.check(rows)
    selection.check(rows)
    _keep_freed_memory()
    fitted, selected_by = held_out(rows, config.validation_share, generator)
    restarts = Restarts(nn.ModuleList([network, *objective.own_networks]))
    survivors = config.survivors(len(restarts.kept))
    means = _RunningMeans(len(restarts.kept))
    places = batches(len(fitted), config.batch_size, generator)
    update, evaluated_at = 0, 0
    while update < config.updates and len(restarts.active):
        rate = config.rate(update / config.updates)
        now = objective.at(update / config.updates)
        update += 1
        terms = now.terms(network, fitted[next(places)])
        means.add(terms, restarts.active)
        restarts.step(total(terms), rate, update)
        if len(restarts.active) and (
            config.evaluates_at(update) or update in survivors
        ):
            restarts.record(total(_evaluated(network, selection, selected_by)))
            evaluated_at = update
            if update in survivors:
                restarts.drop_worst(survivors[update], update)
            if config.patience:
                restarts.stop_stale(config.patience, update)
        if watch and len(restarts.active) and config.reports_at(update):
            best = restarts.best[restarts.active] if evaluated_at else None
            watch(
                Progress(
                    update=update,
                    updates=config.updates,
                    learning_rate=rate,
                    restarts=tuple(restarts.active.tolist()),
                    terms=means.read(restarts.active),
                    selection_losses=best,
                )
            )
    # The last state needs evaluating only where an earlier one might be better.
    if len(restarts.active) and 0 < evaluated_at < update:
        restarts.record(total(_evaluated(network, selection, selected_by)))
    restarts.finish()
    final = _evaluated(network, selection, selected_by)
    return FitReport(
        updates=update,
        restarts=tuple(restarts.kept.nonzero().squeeze(1).tolist()),
        losses=total(final),
        terms=final,
        stops=tuple(restarts.stops),
    )


@final
class _RunningMeans:
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


@torch.no_grad()
def _evaluated(
    network: nn.Module, objective: Objective[Any, Any], rows: Rows
) -> dict[str, Float[Tensor, " copies"]]:
    """Returns the terms of each copy on all `rows`, a mean over equal parts."""
    parts = torch.arange(len(rows)).tensor_split(-(-len(rows) // _ROWS_AT_ONCE))
    means: dict[str, Tensor] = {}
    for part in parts:
        # A slice, as the places are neighbours: nothing needs copying.
        some = rows[slice(int(part[0]), int(part[-1]) + 1)]
        for name, term in objective.terms(network, some).items():
            share = term.reshape(-1) * (len(part) / len(rows))
            means[name] = means[name] + share if name in means else share
    return means


def _keep_freed_memory() -> None:
    """Makes the C allocator keep freed blocks instead of returning them.

    A stack's activations are a few megabytes each. By default glibc hands such blocks
    back to the system and requests them again at every update; the page faults took a
    quarter of a fit. Freeing one block just under its limit of 32 MiB raises that
    threshold for good. Elsewhere this does nothing.
    """
    torch.empty(31 * 2**20, dtype=torch.uint8)
