"""The rung of affine maps with a network added that starts at zero."""

from rltransfer.alignment.candidates import Candidate, by_alignment_error
from rltransfer.alignment.problem import AlignmentProblem
from rltransfer.domain import Transitions
from rltransfer.mapping import Affine, DomainMapping, FitConfig, ResidualAffine

_NAME = "residual"
_WIDTHS = (32, 32)
_WORTH = 0.5
"""Share of the affine map's mismatch that must be left for the network to be kept."""
_FEWEST_ROWS = 1000


def residual(
    problem: AlignmentProblem, rows: Transitions, known: list[Candidate]
) -> list[Candidate]:
    """The best affine map, bent where that lowers the mismatch on rows held out."""
    straight = [c for c in known if c.family == "affine"]
    if not straight or straight[0].alignment_error <= problem.reference_error(rows):
        return []
    if len(rows) < _FEWEST_ROWS:
        return []
    best = min(straight, key=by_alignment_error)
    state, action = best.mapping.state, best.mapping.action
    assert isinstance(state, Affine) and isinstance(action, Affine)
    bent = DomainMapping(
        ResidualAffine.around(state, _WIDTHS, generator=problem.generator),
        ResidualAffine.around(action, _WIDTHS, generator=problem.generator),
    )
    schedule = FitConfig(
        updates=problem.config.updates,
        batch_size=problem.config.batch_size,
        learning_rate=3e-3,
        validation_share=0.2,
        evaluate_every=25,
        patience=6,
    )
    problem.fit(_NAME, bent, rows, schedule, (0.02, 0.02))
    found = problem.measured(_NAME, bent, rows)
    return [c for c in found if c.alignment_error <= _WORTH * best.alignment_error]
