"""The training loop; there is no other."""

import math
from typing import Any

import torch
from jaxtyping import Float
from torch import Generator, Tensor, nn

from rltransfer.mapping.fitting.batches import Rows, batches, held_out
from rltransfer.mapping.fitting.candidates import Candidates
from rltransfer.mapping.fitting.config import FitConfig
from rltransfer.mapping.fitting.memory import hold_memory
from rltransfer.mapping.fitting.meter import Meter
from rltransfer.mapping.fitting.report import FitReport, Progress, Watcher
from rltransfer.mapping.objectives.objective import Objective, total

_JUDGED_AT_ONCE = 1024
"""Rows; more would only cost memory."""


def fit(
    network: nn.Module,
    objective: Objective[Any, Any],
    rows: Rows,
    config: FitConfig,
    *,
    generator: Generator,
    ranked_by: Objective[Any, Any] | None = None,
    watch: Watcher | None = None,
) -> FitReport:
    """Fits every copy in `network`, in place, and leaves each in its best state.

    Copies see the same batches and do not touch each other: a stack ends where its
    copies would alone. One whose loss or gradient is not finite stops in its last
    finite state while the others go on. Copies dropped by halving are gone after.

    Args:
        network: what is fitted: all its parameters that want a gradient.
        objective: what it is fitted to.
        rows: transitions, or examples, as the objective needs them.
        config: how long and how fast.
        generator: draws the held-out rows and the batches.
        ranked_by: what candidates are judged by; `None`: the objective at its end.
        watch: hears how the fit goes.
    """
    judge = (ranked_by or objective).at(1.0)
    objective.check(rows)
    judge.check(rows)
    hold_memory()
    fitted, judging = held_out(rows, config.validation_share, generator)
    candidates = Candidates(network)
    fewer = _halvings(config, len(candidates.kept))
    meter = Meter()
    places = batches(len(fitted), config.batch_size, generator)
    update, judged_at = 0, 0
    while update < config.updates and len(candidates.active):
        rate = config.rate(update / config.updates)
        now = objective.at(update / config.updates)
        update += 1
        terms = now.terms(network, fitted[next(places)])
        meter.add(terms)
        meter.keep(candidates.step(total(terms), rate, update))
        if len(candidates.active) and (config.judges_at(update) or update in fewer):
            candidates.record(total(_judged(network, judge, judging)))
            judged_at = update
            if update in fewer:
                meter.keep(candidates.drop_worst(fewer[update], update))
            if config.patience:
                meter.keep(candidates.stop_stale(config.patience, update))
        if watch and len(candidates.active) and config.reports_at(update):
            watch(
                Progress(
                    update=update,
                    updates=config.updates,
                    learning_rate=rate,
                    candidates=tuple(candidates.active.tolist()),
                    terms=meter.read(),
                    judged=candidates.best[candidates.active] if judged_at else None,
                )
            )
    # Only where an earlier state might be the better one does the last need judging.
    if len(candidates.active) and 0 < judged_at < update:
        candidates.record(total(_judged(network, judge, judging)))
    candidates.finish()
    final = _judged(network, judge, judging)
    return FitReport(
        updates=update,
        candidates=tuple(candidates.kept.nonzero().squeeze(1).tolist()),
        losses=total(final),
        terms=final,
        stops=tuple(candidates.stops),
    )


def _halvings(config: FitConfig, copies: int) -> dict[int, int]:
    """Returns after which updates how many candidates go on."""
    return {
        max(1, round(done * config.updates)): math.ceil(going_on * copies)
        for done, going_on in config.halvings
    }


@torch.no_grad()
def _judged(
    network: nn.Module, judge: Objective[Any, Any], rows: Rows
) -> dict[str, Float[Tensor, " copies"]]:
    """Returns the terms of each copy on all `rows`, a mean over equal parts."""
    parts = torch.arange(len(rows)).tensor_split(-(-len(rows) // _JUDGED_AT_ONCE))
    means: dict[str, Tensor] = {}
    for part in parts:
        # A slice, as the places are neighbours: nothing needs copying.
        some = rows[slice(int(part[0]), int(part[-1]) + 1)]
        for name, term in judge.terms(network, some).items():
            share = term.reshape(-1) * (len(part) / len(rows))
            means[name] = means[name] + share if name in means else share
    return means
