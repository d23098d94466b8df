"""Those that acted, acting as one: another candidate among those that returns compare.

Members differ by candidate family, by restart, and by source: whatever acted in its own
name, also for a source that dropped out by then. Symmetric or half-known worlds leave
several that are each right in part.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch

from rltransfer.alignment.candidates import (
    CandidateFamily,
    Trial,
    comparable_scores,
)
from rltransfer.alignment.trials import Trials
from rltransfer.alignment.watcher import Watcher
from rltransfer.translation import EnsemblePolicy, MappedPolicy
from rltransfer.translation.ensemble_policy import Regions

ENSEMBLE = CandidateFamily("ensemble", 10, lambda problem, known, watch: ())
"""The last that is believed; it proposes nothing by itself."""


def combine(trials: Trials, watch: Watcher) -> None:
    """Acts with those that acted as one policy, if that is asked for and may help.

    It may not where nobody new has acted, where fewer than two look at one observation
    at a time, where the best one explains the target and earns what it can, where
    states are numbered, and where the acceptance test needs the steps.

    Args:
        trials: of a round and those before it; that of the ensemble is added.
        watch: is told of it.
    """
    problem, budget = trials.problem, trials.problem.target.budget
    most = problem.config.ensemble.members
    new = isinstance(trials.acted[-1].policy, MappedPolicy)
    if not most or not new or problem.finite or trials.settled:
        return
    members = _members(trials, most)
    if len(members) < 2 or not trials.plan.affords_trial(budget.used, trials.best):
        return
    watch.phase("ensemble", budget.used)
    policies = [one.policy for one in members if isinstance(one.policy, MappedPolicy)]
    returns, regions = _returns(trials, members), _regions(trials, members)
    policy = EnsemblePolicy(policies, returns, regions, problem.config.ensemble)
    # The source of the first member is kept, and its mapping stands for all.
    first = members[0].candidate
    candidate = replace(first, family=ENSEMBLE, retraced=False)
    trials.add(trials.acted[-1].round, candidate, policy=policy)


def member_sources(trial: Trial, acted: Sequence[Trial]) -> tuple[int, ...]:
    """Returns the source of each member of the policy in a trial.

    Args:
        trial: of an ensemble, or of a mapping: that is its own only member.
        acted: all trials.
    """
    if not isinstance(trial.policy, EnsemblePolicy):
        return (trial.candidate.source,)
    return tuple(
        next(one.candidate.source for one in acted if one.policy is member)
        for member in trial.policy.members
    )


def _is_member(trial: Trial) -> bool:
    return isinstance(trial.policy, MappedPolicy) and trial.policy.history.steps == 1


def _members(trials: Trials, most: int) -> list[Trial]:
    """Returns the best of the sources that are left, and who else earned most."""
    cut_short = trials.problem.config.selection.cut_short
    scores = comparable_scores(trials.acted, cut_short)
    pairs = zip(scores, trials.acted, strict=True)
    able = [(score, one) for score, one in pairs if _is_member(one)]
    able.sort(key=lambda pair: -pair[0])
    best = next((one.policy for one in trials.ranking if _is_member(one)), None)
    first = [one for _, one in able if one.policy is best]
    others = [one for score, one in able if one.policy is not best and score > -np.inf]
    return [*first, *others][:most] if first else []


def _returns(trials: Trials, members: Sequence[Trial]) -> list[float]:
    """Returns what members earned, as parts of the way from random to the best.

    Less than random counts as random: who knows a part of the target may do worse than
    chance in the others. Where none is better than random, returns tell nothing apart.
    """
    cut_short = trials.problem.config.selection.cut_short
    scores, known = comparable_scores(members, cut_short), trials.random_returns
    whole = len(known) and any(len(one.rollout.returns) for one in members)
    floor = float(known.mean()) if whole else min(scores)
    way = max(scores) - floor
    return [max(score - floor, 0.0) / way if way > 0 else 0.0 for score in scores]


def _regions(trials: Trials, members: Sequence[Trial]) -> Regions:
    """Returns how far what was seen is from what each member's source model says."""
    problem, seen = trials.problems[members[0].candidate.source], trials.seen
    most = min(len(seen), problem.config.ensemble.remembered)
    kept = torch.linspace(0, len(seen) - 1, most).long()
    whitening, errors = problem.whitening, []
    for one in members:
        own = trials.problems[one.candidate.source]
        rows = own.seeing(seen)
        with torch.no_grad():
            error = own.agreement.step_errors(one.candidate.mapping, rows.rows)
        errors.append(error[kept].nan_to_num(nan=1.0, posinf=1.0).numpy())
    return Regions(
        whitening.mean.numpy(),
        whitening.matrix.numpy(),
        whitening.whiten(seen.observation[kept]).numpy(),
        np.stack(errors),
    )
