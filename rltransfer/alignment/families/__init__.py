"""The ladder of candidates, simplest rung first.

A rung is a function from the workbench, the rows seen so far and the candidates kept
from earlier rounds to new candidates. Adding one touches its page and `RUNGS`.
"""

from collections.abc import Callable

from rltransfer.alignment.candidates import Candidate, by_alignment_error, by_simplicity
from rltransfer.alignment.families.affine_family import affine
from rltransfer.alignment.families.residual_family import residual
from rltransfer.alignment.families.structured_families import (
    identity,
    same_sensors,
    signed_order,
)
from rltransfer.alignment.problem import AlignmentProblem as AlignmentProblem
from rltransfer.domain import Transitions

CandidateFamily = Callable[
    [AlignmentProblem, Transitions, list[Candidate]], list[Candidate]
]

FAMILIES: dict[str, CandidateFamily] = {
    "identity": identity,
    "same sensors": same_sensors,
    "affine": affine,
    "signed order": signed_order,
    "residual": residual,
}
"""By name, in the order in which they are climbed."""
_CLEARLY = 0.75
"""Share of a simpler candidate's mismatch that is clearly less."""


def propose(
    problem: AlignmentProblem, rows: Transitions, kept: list[Candidate]
) -> list[Candidate]:
    """Returns candidates for `rows`, the smallest mismatch first.

    Where the identity explains the target as well as the source's model explains the
    source, no other rung is climbed. Where only the sensors are what they seem, fitted
    maps stay if they explain it clearly better: nearly symmetric worlds look alike from
    more than one side.

    Args:
        problem: what fits need.
        rows: all that was seen of the target, in white coordinates.
        kept: from earlier rounds, best first; empty in the first round.
    """
    reference_error = problem.reference_error(rows)
    found: list[Candidate] = []
    for family in FAMILIES.values():
        found += family(problem, rows, sorted([*kept, *found], key=by_alignment_error))
        found.sort(key=by_alignment_error)
        if not found:
            continue
        if family is identity and found[0].alignment_error <= reference_error:
            break
        if family is affine and found[0].trusts_sensors:
            break
    return [c for c in found if not _outdone(c, found, reference_error)]


def _outdone(
    candidate: Candidate, found: list[Candidate], reference_error: float
) -> bool:
    """Whether sensors taken for what they seem explain the target about as well."""
    trusting = [
        c for c in found if c.trusts_sensors and c.alignment_error <= reference_error
    ]
    if candidate.trusts_sensors or not trusting:
        return False
    simplest = min(trusting, key=by_simplicity)
    return candidate.alignment_error > _CLEARLY * simplest.alignment_error
