"""Candidates: how families propose them, which may act, and which acted best."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from rltransfer.alignment.align_config import SelectionConfig
from rltransfer.alignment.problem import AlignmentProblem, Measured
from rltransfer.alignment.step_plan import BestTrial
from rltransfer.domain import Rollout
from rltransfer.mapping import DomainMapping, FitWatcher
from rltransfer.translation import EnsemblePolicy, MappedPolicy

Propose = Callable[
    [AlignmentProblem, Sequence["Candidate"], FitWatcher], Sequence[Measured]
]
"""From a problem and the candidates known so far, best first, to new mappings."""


@final
@dataclass(frozen=True, eq=False)
class CandidateFamily:
    """A way to propose candidates, with everything that is particular to it."""

    name: str
    simplicity: int
    """How much it takes to be unknown; less is simpler, and preferred in a tie."""
    propose: Propose
    trusts_sensors: bool = False
    """Whether observations are taken to mean what they mean in the source."""
    fits: bool = True
    """Whether it fits more than scales and offsets; what does not acts first."""
    unchanged: bool = False
    """Whether the source's policy acts as it is: what any other must beat."""
    once: bool = False
    """Whether it proposes in the first round only, as it would the same again."""
    numbered: bool = False
    """Whether it is about numbered states; the others are about quantities."""
    pictured: bool = False
    """Whether it is about pictures, likewise."""
    by_return: bool = False
    """Whether returns alone judge it: it changes what no agreement tells."""
    refines: bool = False
    """Whether it starts from the best affine map, and so needs one worth refining."""

    @property
    def of_quantities(self) -> bool:
        """Whether it is about vectors of numbers that mean an amount."""
        return not (self.numbered or self.pictured)


@final
@dataclass(frozen=True, eq=False)
class Candidate:
    """One mapping between white coordinates that may act."""

    family: CandidateFamily
    mapping: DomainMapping
    alignment_error: float
    """On all that had been seen when it was measured."""
    settles: bool = False
    """Whether no other one need be sought, as far as random acting can tell."""
    retraced: bool = False
    """Whether the source itself, under the target's actions, went where it says."""
    source: int = 0
    """Place of the source that it maps to, where there are several."""


def by_alignment_error(candidate: Candidate) -> float:
    """Returns what candidates are ordered by."""
    return candidate.alignment_error


def worth_acting(
    problem: AlignmentProblem, candidates: Sequence[Candidate], count: int
) -> list[Candidate]:
    """Returns at most `count` candidates of little error that differ from each other.

    What settles it goes first, then what needs no fitting, or of scales and offsets
    only: it may not get another chance, and few rows do not mislead it.

    Args:
        problem: whose rows they are compared on.
        candidates: at least one, best first.
        count: at least 1.
    """
    least = max(candidates[0].alignment_error, problem.reference_error)
    bar = problem.config.selection.hopeless * least

    def error(candidate: Candidate) -> float:
        # Matching moments keeps fitted maps from shrinking to a point. What fits
        # nothing cannot shrink, and one odd random episode would rule it out.
        if candidate.family.fits:
            return candidate.alignment_error
        return problem.dynamics_error_of(candidate.mapping)

    # Noise of sensors spoils the error over one step, and not what whole episodes show:
    # there, and where no candidate explains the target, those that the source retraced
    # go first.
    least_error = candidates[0].alignment_error
    explained = problem.explains(least_error) and not problem.noisy
    hopeful = [
        c for c in candidates if c.retraced or c.family.unchanged or error(c) <= bar
    ]
    hopeful.sort(
        key=lambda c: (not c.settles, c.family.fits, explained or not c.retraced)
    )
    return distinct(problem, hopeful, count)


def distinct(
    problem: AlignmentProblem, candidates: Iterable[Candidate], count: int
) -> list[Candidate]:
    """Returns the first `count` candidates that carry states to different places.

    Those of two families are taken to be different.
    """
    chosen: list[Candidate] = []
    for candidate in candidates:
        rivals = [c.mapping for c in chosen if c.family is candidate.family]
        if len(chosen) < count and problem.is_distinct(candidate.mapping, rivals):
            chosen.append(candidate)
    return chosen


@final
@dataclass(frozen=True, eq=False)
class Trial:
    """A candidate that was acted with."""

    round: int
    candidate: Candidate
    policy: MappedPolicy | EnsemblePolicy
    rollout: Rollout
    """Empty where it would have acted, and no target step is allowed."""
    used: int
    """Target steps that were spent after it, on everything."""

    @property
    def score(self) -> float:
        """Mean return of finished episodes; else what the unfinished one had earned."""
        return self.rollout.mean_return

    @property
    def first_steps(self) -> int:
        """Steps of its first episode."""
        episode = self.rollout.transitions.episode
        return int((episode == episode[0]).sum())

    @property
    def ended(self) -> bool:
        """Whether an episode of it was terminated."""
        return bool(self.rollout.transitions.terminated.any())

    def plan_facts(self, limit: int | None, above: float | None = None) -> BestTrial:
        """Returns what the plan of steps must know of this trial.

        Args:
            limit: steps after which the target truncates episodes, where it says so.
            above: best random return; None where a reward was negative.
        """
        finished, taken = len(self.rollout.returns), len(self.rollout.transitions)
        after = None
        if above is not None:
            paid = self.rollout.transitions.reward[: self.first_steps].cumsum(0)
            higher = (paid > above).nonzero().flatten().tolist()
            after = float(higher[0] + 1) if higher else None
        whole = float(limit or 2 * taken)
        if finished:
            whole = (taken - self.rollout.unfinished_steps) / finished
        return BestTrial(whole, finished > 0, after)


def preferred(
    trials: Sequence[Trial],
    random_returns: NDArray[np.float64],
    config: SelectionConfig,
) -> list[Trial]:
    """Returns `trials`, best first.

    Returns decide. Trials start alike, so that luck is shared, and only the episodes
    that all of them finished are compared; but a few are few: among trials that come
    near the best on the way up from random, the simpler family goes first, and then
    the smaller alignment error; the higher return where that is no evidence.

    Args:
        trials: at least one.
        random_returns: of finished episodes; there may be none.
        config: what counts as near.
    """
    scores = comparable_scores(trials, config.cut_short)
    best = max(scores)
    whole = len(random_returns) and any(len(trial.rollout.returns) for trial in trials)
    floor = float(random_returns.mean()) if whole else min(scores)
    bar = best - config.tie * max(best - floor, 0.0) if np.isfinite(floor) else best

    def rank(place: int) -> tuple[bool, float, int, float]:
        tied, candidate = scores[place] >= bar, trials[place].candidate
        score = 0.0 if tied else -scores[place]
        family, last = candidate.family, candidate.alignment_error
        if family.by_return:
            last = -scores[place]
        return not tied, score, family.simplicity, last

    return [trials[place] for place in sorted(range(len(trials)), key=rank)]


def comparable_scores(trials: Sequence[Trial], cut_short: float) -> list[float]:
    """Returns what trials earned in as much as all of them acted.

    Args:
        trials: at least one.
        cut_short: see `SelectionConfig`; -inf for a trial that was.
    """
    finished = [len(trial.rollout.returns) for trial in trials]
    common = min((count for count in finished if count), default=0)
    longest = max(trial.first_steps for trial in trials)
    least, compared = longest * cut_short, longest
    if not all(finished) and not any(trial.ended for trial in trials):
        # Nothing ends early: as many steps of each are compared.
        taken = [trial.first_steps for trial in trials]
        common, compared = 0, min(steps for steps in taken if steps >= least)

    def score(trial: Trial) -> float:
        if common and len(trial.rollout.returns):
            return float(trial.rollout.returns[:common].mean())
        if trial.first_steps < least:
            return -np.inf
        return float(trial.rollout.transitions.reward[:compared].sum())

    return [score(trial) for trial in trials]
