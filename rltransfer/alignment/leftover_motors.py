"""Motors that the source has none for: they carry on the wave of those beside them.

A body with more motors than the source's moves as it does if what its motors do runs on
along it. No agreement with the source's dynamics says so: the source does without. But
which motor is beside which is seen while acting at random, in how their responses go
together, and how the wave runs on in what the source's policy does at home.
"""

from dataclasses import dataclass, replace
from itertools import permutations
from typing import final

import numpy as np
import torch
from jaxtyping import Float64
from numpy.typing import NDArray
from torch import Tensor

from rltransfer.alignment.candidates import Candidate, Trial
from rltransfer.alignment.families import LEFTOVER
from rltransfer.alignment.problem import AlignmentProblem
from rltransfer.alignment.responses import Responses, episodes_of
from rltransfer.alignment.trials import Trials
from rltransfer.alignment.watcher import Watcher
from rltransfer.mapping import Affine, DomainMapping

Array = NDArray[np.float64]
_IDLE = 0.1
"""Share of the strongest motor's drive below which a motor counts as left over."""


def drive_leftover_motors(trials: Trials, watch: Watcher) -> bool:
    """Acts with the best map once more, with the motors driven that it leaves over.

    The likeliest ways to carry the wave on act first. Where one of them earns more than
    all that acted before, it acts with other strengths too.

    Nothing is done where the target has no more motors than the source, where episodes
    end early and a trial would take whole ones, where the acceptance test needs the
    steps, and where the best map earns enough without.

    Args:
        trials: at least one; those of the motors driven are added.
        watch: is told of it.

    Returns:
        Whether one of them earned more than all others.
    """
    problem, plan = trials.problem, trials.plan
    if not _may_have_leftover(problem) or not plan.none_ended or plan.alone:
        return False
    config, last_round = problem.config.leftover, trials.acted[-1].round
    leader = trials.ranking[0].candidate.source
    own = [one for one in trials.ranking if one.candidate.source == leader]
    base = next((one for one in map(_Base.of, own) if one), None)
    if base is None or trials.spare < plan.short_steps:
        return False
    # What then does not act does not, because one earned enough: that is a choice.
    trials.returns_stopped |= trials.earns_enough is True
    if not trials.worth_tuning:
        return False
    at_random = episodes_of(problem.rows[: problem.explored])
    answers = Responses.of(at_random, problem.config.responses).actions
    actions = problem.model_data.by_policy.action.double().numpy()

    def earns_most(choice: int, strength: float) -> bool:
        """Acts, if steps are left; returns whether that earned more than all others."""
        if trials.spare < plan.short_steps:
            return False
        watch.phase("leftover motors", problem.target.budget.used)
        drives = carried_on(base.drives, answers, actions, strength, choice)
        acts = base.driven(drives)
        error = problem.error_of(acts.mapping)
        trials.add(last_round, replace(acts, alignment_error=error))
        return trials.ranking[0].policy is trials.acted[-1].policy

    first, *others = config.strengths
    best = [choice for choice in range(config.choices) if earns_most(choice, first)]
    for strength in others if best else ():
        earns_most(best[-1], strength)
    return bool(best)


def carried_on(
    drives: Float64[Array, "source target"],
    answers: Float64[Array, "lag target state"],
    actions: Float64[Array, "step source"],
    strength: float,
    choice: int = 0,
) -> Float64[Array, "source target"]:
    """Returns `drives` with a drive for each motor that had none.

    Of motors i and j that are driven and a motor f that is not, f is to j what j is to
    i if products of their responses agree: those do not depend on the coordinates of
    the state. A wave that runs along i, j and f is, seen at one of them, a recurrence

        b_f = 2 r b_j - b_i

    which is exact for sines of one size, with r the correlation of b_i and b_j. The
    motor that is likeliest beside two others is driven first, and others may be beside
    it in turn.

    Args:
        drives: target action = source action · drives, encoded.
        answers: of the target to each of its motors.
        actions: of the source's policy at home.
        strength: of the new drives, as a share of the others' mean.
        choice: how many likelier places for the first motor are passed over.
    """
    drives, idle = drives.copy(), left_over(drives)
    driven, left = np.flatnonzero(~idle).tolist(), np.flatnonzero(idle).tolist()
    sizes = np.linalg.norm(drives, axis=0)
    size = strength * float(sizes[driven].mean())
    products = np.einsum("koz,lpz->opkl", answers, answers, optimize=True)
    flat = products.reshape(*products.shape[:2], -1)
    flat = flat / np.maximum(np.linalg.norm(flat, axis=2, keepdims=True), 1e-12)
    while left:
        places = [
            (float(flat[i, j] @ flat[j, f]), i, j, f)
            for i, j in permutations(driven, 2)
            for f in left
        ]
        places.sort(key=lambda place: -abs(place[0]))
        alike, i, j, f = places[min(choice, len(places) - 1)]
        choice = 0
        waves = actions @ drives[:, [i, j]]
        # What never changes goes with nothing.
        spread = np.maximum(waves.std(axis=0), 1e-6)
        together = np.mean(np.prod((waves - waves.mean(axis=0)) / spread, axis=1))
        column = drives[:, [i, j]] / spread @ [-1.0, 2 * together]
        # A motor that answers the other way round is driven the other way round.
        turned = -1.0 if alike < 0 else 1.0
        drives[:, f] = turned * size * column / max(np.linalg.norm(column), 1e-12)
        driven.append(f)
        left.remove(f)
    return drives


def left_over(drives: Float64[Array, "source target"]) -> NDArray[np.bool_]:
    """Returns which motors of the target are hardly driven."""
    sizes = np.linalg.norm(drives, axis=0)
    idle: NDArray[np.bool_] = sizes < _IDLE * sizes.max()
    return idle


def _may_have_leftover(problem: AlignmentProblem) -> bool:
    ours, theirs = problem.source.actions, problem.target.actions
    return (
        problem.config.uses(LEFTOVER.name)
        and not (problem.finite or problem.pictured)
        and not (ours.discrete or theirs.discrete)
        and theirs.size > ours.size > 1
        and problem.history.steps == 1
    )


@final
@dataclass(frozen=True, eq=False)
class _Base:
    """A candidate with motors left over.

    Args:
        candidate: that acted.
        offset: of its action map.
        drives: source action to target action, encoded.
    """

    candidate: Candidate
    offset: Tensor
    drives: Float64[Array, "source target"]

    @classmethod
    def of(cls, trial: Trial) -> "_Base | None":
        """Returns that of a trial; None where its map leaves no motor over."""
        action = trial.candidate.mapping.action
        if not isinstance(action, Affine) or action.activation != "identity":
            return None
        drives = np.linalg.pinv(action.weight.detach().double().numpy())
        idle = left_over(drives)
        if not idle.any() or (~idle).sum() < 2:
            return None
        return cls(trial.candidate, action.bias.detach(), drives)

    def driven(self, drives: Float64[Array, "source target"]) -> Candidate:
        """Returns the candidate with other drives, not yet measured."""
        weight = torch.from_numpy(np.linalg.pinv(drives)).float()
        action = Affine.of(weight, self.offset)
        mapping = DomainMapping(self.candidate.mapping.state, action)
        return Candidate(LEFTOVER, mapping, np.inf, source=self.candidate.source)
