"""The candidate families, and proposing candidates with all of them.

A family is a function from an alignment problem and the candidates known so far to
mappings. Adding one touches its page and `FAMILIES`.
"""

from collections.abc import Callable, Sequence
from functools import partial

from rltransfer.alignment.candidates import (
    Candidate,
    CandidateFamily,
    by_alignment_error,
)
from rltransfer.alignment.families.board_family import board
from rltransfer.alignment.families.camera_family import camera
from rltransfer.alignment.families.fitted_families import affine, residual
from rltransfer.alignment.families.history_family import history
from rltransfer.alignment.families.matched_family import matched
from rltransfer.alignment.families.renumbered_family import renumbered
from rltransfer.alignment.families.response_families import responses
from rltransfer.alignment.families.retraced_family import retraced
from rltransfer.alignment.families.structured_families import (
    identity,
    same_sensors,
    signed_permutation,
)
from rltransfer.alignment.problem import AlignmentProblem
from rltransfer.errors import InputError
from rltransfer.mapping import Progress

FAMILIES = (
    CandidateFamily(
        "identity",
        0,
        identity,
        trusts_sensors=True,
        fits=False,
        unchanged=True,
        once=True,
    ),
    CandidateFamily("board", 2, board, fits=False),
    CandidateFamily("matched", 4, matched, fits=False, once=True),
    CandidateFamily("responses", 5, responses, once=True),
    CandidateFamily("history", 7, history, once=True),
    CandidateFamily("retraced", 5, retraced, once=True),
    CandidateFamily("same sensors", 1, same_sensors, trusts_sensors=True),
    CandidateFamily("affine", 5, affine),
    CandidateFamily("signed permutation", 3, signed_permutation, refines=True),
    CandidateFamily("residual", 6, residual, refines=True),
    CandidateFamily("renumbered", 9, renumbered, fits=False, numbered=True),
    CandidateFamily("camera", 11, camera, pictured=True),
)
"""In the order in which they propose."""
TUNED = CandidateFamily("tuned", 8, lambda problem, known, watch: (), by_return=True)
"""What tuning leaves; it proposes nothing by itself."""
LEFTOVER = CandidateFamily(
    "leftover motors", 8, lambda problem, known, watch: (), by_return=True
)
"""Maps that acted, with the motors driven that they left over; likewise."""
REFITTED = CandidateFamily("refitted", 8, lambda problem, known, watch: ())
"""Maps that acted, fitted anew while learning goes on; likewise."""


def require_known_families(without: str) -> None:
    """Raises `InputError` unless all names are of candidate families, but not all."""
    # Of numbered states one family alone knows anything, as of pictures; without it
    # none is left.
    known = (*FAMILIES, LEFTOVER, TUNED)
    names = [family.name for family in known if family.of_quantities]
    given = {name for name in without.split(",") if name}
    if not given - {REFITTED.name} < set(names):
        raise InputError(
            f"without names {REFITTED.name} or some candidate families of "
            f"{', '.join(names)}, and leaves "
            f"others; got {without!r}"
        )


def propose(
    problem: AlignmentProblem,
    known: Sequence[Candidate],
    watch: Callable[[str, Progress], None],
) -> list[Candidate]:
    """Returns candidates for the rows seen so far, the smallest alignment error first.

    Where one of them settles it, no further family is asked; one that fits nothing then
    is alone, but among numbered states. Where trusted sensors explain it best, nothing
    is refined; fitted maps stay only if they explain it clearly better.

    Args:
        problem: what fits need.
        known: from earlier rounds; empty in the first one.
        watch: called with the family's name and the progress of its fits.
    """
    found: list[Candidate] = []
    for family in FAMILIES:
        if not problem.config.uses(family.name) or _was_asked(family, known):
            continue
        kind = family.numbered, family.pictured
        if kind != (problem.finite, problem.pictured):
            continue
        if family.refines and found and found[0].family.trusts_sensors:
            continue
        mappings = family.propose(
            problem,
            [*known, *found],
            partial(watch, family.name),
        )
        proposed = [Candidate(family, *measured) for measured in mappings]
        found = sorted([*found, *proposed], key=by_alignment_error)
        if any(candidate.settles for candidate in proposed):
            break
    # What a small error says of unchanged sensors, such a map has better evidence for.
    sure = [c for c in found if c.settles and not c.family.fits]
    if sure and not problem.finite:
        return sure
    return [c for c in found if not _outdone(problem, c, found)]


def _was_asked(family: CandidateFamily, known: Sequence[Candidate]) -> bool:
    """Returns whether a family that proposes once has done so, as far as is known.

    Where one seemed to settle it, those after it have yet to be asked.
    """
    if not (known and family.once):
        return False
    settled = any(candidate.settles for candidate in known)
    return not settled or any(candidate.family is family for candidate in known)


def _outdone(
    problem: AlignmentProblem, candidate: Candidate, found: Sequence[Candidate]
) -> bool:
    """Returns whether trusted sensors explain the target about as well."""
    trusting = [
        c
        for c in found
        if c.family.trusts_sensors and problem.explains(c.alignment_error)
    ]
    if candidate.family.trusts_sensors or not trusting:
        return False
    simplest = min(trusting, key=lambda c: c.family.simplicity)
    least = problem.config.selection.clearly_less * simplest.alignment_error
    return candidate.alignment_error > least
