"""Rungs that take the sensors to be what they seem: the same, or only reordered."""

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment

from rltransfer.alignment.candidates import Candidate, by_mismatch
from rltransfer.alignment.problem import Workbench
from rltransfer.domain import Transitions
from rltransfer.mapping import Affine, DomainMapping, FitConfig, Mlp, stacked

_RESTARTS, _UPDATES, _WIDTHS = 4, 400, (32, 32)


def identity(
    bench: Workbench, rows: Transitions, known: list[Candidate]
) -> list[Candidate]:
    """Same observations, same actions; nothing is fitted."""
    del known
    if not (bench.same_sensors and bench.same_actions):
        return []
    unchanged = DomainMapping(_unchanged(bench))
    return bench.measured("identity", unchanged, rows)


def same_sensors(
    bench: Workbench, rows: Transitions, known: list[Candidate]
) -> list[Candidate]:
    """Same observations, other actions; the action map is a network.

    Engines have thresholds, so that an affine action map would be too poor.
    """
    del known
    if not bench.same_sensors:
        return []
    return _with_fitted_actions(bench, rows, _unchanged(bench), "same sensors")


def signed_order(
    bench: Workbench, rows: Transitions, known: list[Candidate]
) -> list[Candidate]:
    """Sensors in another order and sign: the one nearest to the best affine map."""
    fitted = [
        c.mapping.state
        for c in known
        if c.rung == "affine" and isinstance(c.mapping.state, Affine)
    ]
    if not (bench.same_sensors and fitted):
        return []
    weight, _ = bench.raw(fitted[0])
    source, target = bench.knowledge.model.whitening, bench.whitening
    spread_in, spread_out = (
        w.inverse.square().sum(dim=0).sqrt() for w in (target, source)
    )
    share = weight * spread_in[:, None] / spread_out
    rows_, columns = linear_sum_assignment(-share.abs().numpy())
    order = np.zeros(tuple(weight.shape), np.float32)
    order[rows_, columns] = np.sign(share.numpy()[rows_, columns])
    if np.array_equal(order, np.eye(len(order))):
        return []
    state = bench.between(torch.from_numpy(order), torch.zeros(len(order)))
    return _with_fitted_actions(bench, rows, state, "signed order")


def _unchanged(bench: Workbench) -> Affine:
    size = bench.target.observation_size
    return bench.between(torch.eye(size), torch.zeros(size))


def _with_fitted_actions(
    bench: Workbench, rows: Transitions, state: Affine, rung: str
) -> list[Candidate]:
    fixed = stacked([state] * _RESTARTS).requires_grad_(False)
    action = Mlp(
        bench.target.actions.size,
        _WIDTHS,
        bench.source.actions.size,
        output_activation=bench.action_activation,
        copies=_RESTARTS,
        generator=bench.generator,
    )
    mapping = DomainMapping(fixed, action)
    schedule = FitConfig(
        updates=_UPDATES, batch_size=bench.config.batch_size, learning_rate=1e-2
    )
    bench.fit(rung, mapping, rows, schedule, moments=None)
    found = bench.measured(rung, mapping, rows)
    return sorted(found, key=by_mismatch)[:1]
