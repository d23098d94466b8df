"""Candidates, how families propose them, and which are worth acting with."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import final

from rltransfer.alignment.problem import AlignmentProblem, Measured
from rltransfer.mapping import DomainMapping, FitWatcher

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
    """Whether it fits anything; what does not acts first."""
    once: bool = False
    """Whether it proposes in the first round only, as it would the same again."""
    refines: bool = False
    """Whether it starts from the best affine map, and so needs one worth refining."""


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


def by_alignment_error(candidate: Candidate) -> float:
    """Returns what candidates are ordered by."""
    return candidate.alignment_error


def worth_acting(
    problem: AlignmentProblem, candidates: Sequence[Candidate], count: int
) -> list[Candidate]:
    """Returns at most `count` candidates of little error that differ from each other.

    What settles it goes first, then what needs no fitting: it may not get another
    chance.

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

    hopeful = [c for c in candidates if error(c) <= bar]
    hopeful.sort(key=lambda candidate: (not candidate.settles, candidate.family.fits))
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
