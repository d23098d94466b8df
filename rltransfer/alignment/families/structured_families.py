"""Families that take the sensors to be the same ones: unchanged, or only reordered."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from rltransfer.alignment.candidates import Candidate
from rltransfer.alignment.families.fitted_families import affine_among
from rltransfer.alignment.problem import AlignmentProblem, Measured
from rltransfer.mapping import (
    Affine,
    DomainMapping,
    FitConfig,
    FitWatcher,
    Mlp,
    stacked,
)


def identity(
    problem: AlignmentProblem, known: Sequence[Candidate], watch: FitWatcher
) -> list[Measured]:
    """Same observations, same actions; nothing is fitted."""
    del known, watch
    if not (problem.same_sensors and problem.same_actions):
        return []
    unchanged = _unchanged(problem)
    if not _may_agree(problem, unchanged):
        return []
    return [
        one._replace(settles=problem.explains(one.alignment_error))
        for one in problem.measured(DomainMapping(unchanged))
    ]


def same_sensors(
    problem: AlignmentProblem, known: Sequence[Candidate], watch: FitWatcher
) -> list[Measured]:
    """Same observations, other actions; the action map is a network."""
    del known
    if not problem.same_sensors:
        return []
    return _with_fitted_actions(problem, _unchanged(problem), watch)


def signed_permutation(
    problem: AlignmentProblem, known: Sequence[Candidate], watch: FitWatcher
) -> list[Measured]:
    """Sensors in another order and sign: the one nearest to the best affine map.

    Nearest is the assignment of target sensors to source variables with the largest
    sum of correlations (Kuhn, 1955), in deviations of both.
    """
    fitted = affine_among(known)
    if not (problem.same_sensors and fitted):
        return []
    state = fitted[0].mapping.state
    assert isinstance(state, Affine)
    source, target = problem.model_data.model.whitening, problem.whitening
    spread_in, spread_out = (
        whitening.inverse.square().sum(dim=0).sqrt() for whitening in (target, source)
    )
    share = problem.raw_weight(state) * spread_in[:, None] / spread_out
    rows, columns = linear_sum_assignment(-share.abs().numpy())
    order = np.zeros(tuple(share.shape), np.float32)
    order[rows, columns] = np.sign(share.numpy()[rows, columns])
    if np.array_equal(order, np.eye(len(order))):
        return []
    reordered = problem.between(torch.from_numpy(order), torch.zeros(len(order)))
    return _with_fitted_actions(problem, reordered, watch)


def _unchanged(problem: AlignmentProblem) -> Affine:
    size = problem.target.observation_size
    return problem.between(torch.eye(size), torch.zeros(size))


def _with_fitted_actions(
    problem: AlignmentProblem, state: Affine, watch: FitWatcher
) -> list[Measured]:
    """Returns the best of some restarts of the action map.

    None where sensors cannot agree: these four fits would take as long as all other
    families together.
    """
    config = problem.config.actions
    if not _may_agree(problem, state):
        return []
    action = Mlp(
        problem.target.actions.size,
        config.widths,
        problem.source.actions.size,
        output_activation=problem.action_activation,
        copies=config.restarts,
        generator=problem.generator,
    )
    fixed = stacked([state] * config.restarts).requires_grad_(False)
    schedule = FitConfig(
        updates=config.updates,
        batch_size=problem.config.batch_size,
        learning_rate=config.learning_rate,
    )
    return problem.fit(DomainMapping(fixed, action), schedule, None, watch)[:1]


def _may_agree(problem: AlignmentProblem, state: Affine) -> bool:
    """Returns whether mapped sensors show at random what the source's show.

    Where nothing was acted at random, nobody knows who acted: then what they show may
    also be like all that the source has shown.
    """
    rows, own, alone = problem.rows.observation, problem.model_data, problem.explored
    with torch.no_grad():
        mapped = state(rows[:alone] if alone else rows)
    unwhiten = own.model.whitening.unwhiten
    kinds = (own.at_random,) if alone else (own.at_random, own.rows)
    nearest = min(
        float(marginal_distances(unwhiten(mapped), unwhiten(kind.observation)).mean())
        for kind in kinds
    )
    return nearest <= problem.config.actions.alike


def marginal_distances(
    some: Float[Tensor, "row sensor"], others: Float[Tensor, "other_row sensor"]
) -> Float[Tensor, " sensor"]:
    """Returns how differently two samples are distributed, sensor by sensor.

    That is the energy distance as a share of its largest (Székely & Rizzo, 2013), of
    distribution functions F and G ∫(F - G)² / ∫(F + G - 2FG): 0 where they are equal, 1
    where each sample is one point of its own. Units do not matter.
    """
    values, order = torch.cat([some, others]).double().sort(dim=0)
    own = order < len(some)
    ours = own.cumsum(dim=0)[:-1] / len(some)
    theirs = (~own).cumsum(dim=0)[:-1] / len(others)
    gaps = values.diff(dim=0)
    apart = (gaps * (ours - theirs).square()).sum(dim=0)
    most = (gaps * (ours + theirs - 2 * ours * theirs)).sum(dim=0)
    return apart / most.clamp_min(1e-300)
