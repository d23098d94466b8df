"""Rungs that take the sensors to be what they seem: the same, or only reordered."""

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment

from rltransfer.alignment.candidates import Candidate, by_alignment_error
from rltransfer.alignment.problem import AlignmentProblem
from rltransfer.domain import Transitions
from rltransfer.mapping import Affine, DomainMapping, FitConfig, Mlp, stacked

_RESTARTS, _UPDATES, _WIDTHS = 4, 400, (32, 32)


def identity(
    problem: AlignmentProblem, rows: Transitions, known: list[Candidate]
) -> list[Candidate]:
    """Same observations, same actions; nothing is fitted."""
    del known
    if not (problem.same_sensors and problem.same_actions):
        return []
    unchanged = DomainMapping(_unchanged(problem))
    return problem.measured("identity", unchanged, rows)


def same_sensors(
    problem: AlignmentProblem, rows: Transitions, known: list[Candidate]
) -> list[Candidate]:
    """Same observations, other actions; the action map is a network.

    Engines have thresholds, so that an affine action map would be too poor.
    """
    del known
    if not problem.same_sensors:
        return []
    return _with_fitted_actions(problem, rows, _unchanged(problem), "same sensors")


def signed_order(
    problem: AlignmentProblem, rows: Transitions, known: list[Candidate]
) -> list[Candidate]:
    """Sensors in another order and sign: the one nearest to the best affine map."""
    fitted = [
        c.mapping.state
        for c in known
        if c.family == "affine" and isinstance(c.mapping.state, Affine)
    ]
    if not (problem.same_sensors and fitted):
        return []
    weight, _ = problem.raw(fitted[0])
    source, target = problem.model_data.model.whitening, problem.whitening
    spread_in, spread_out = (
        w.inverse.square().sum(dim=0).sqrt() for w in (target, source)
    )
    share = weight * spread_in[:, None] / spread_out
    rows_, columns = linear_sum_assignment(-share.abs().numpy())
    order = np.zeros(tuple(weight.shape), np.float32)
    order[rows_, columns] = np.sign(share.numpy()[rows_, columns])
    if np.array_equal(order, np.eye(len(order))):
        return []
    state = problem.between(torch.from_numpy(order), torch.zeros(len(order)))
    return _with_fitted_actions(problem, rows, state, "signed order")


def _unchanged(problem: AlignmentProblem) -> Affine:
    size = problem.target.observation_size
    return problem.between(torch.eye(size), torch.zeros(size))


def _with_fitted_actions(
    problem: AlignmentProblem, rows: Transitions, state: Affine, family: str
) -> list[Candidate]:
    fixed = stacked([state] * _RESTARTS).requires_grad_(False)
    action = Mlp(
        problem.target.actions.size,
        _WIDTHS,
        problem.source.actions.size,
        output_activation=problem.action_activation,
        copies=_RESTARTS,
        generator=problem.generator,
    )
    mapping = DomainMapping(fixed, action)
    schedule = FitConfig(
        updates=_UPDATES, batch_size=problem.config.batch_size, learning_rate=1e-2
    )
    problem.fit(family, mapping, rows, schedule, moments=None)
    found = problem.measured(family, mapping, rows)
    return sorted(found, key=by_alignment_error)[:1]
