"""The family of affine maps with a network added that starts at zero."""

from collections.abc import Sequence

from rltransfer.alignment.candidates import Candidate
from rltransfer.alignment.families.affine_family import affine_among
from rltransfer.alignment.problem import AlignmentProblem, Measured
from rltransfer.mapping import (
    Affine,
    DomainMapping,
    FitConfig,
    FitWatcher,
    ResidualAffine,
)


def residual(
    problem: AlignmentProblem, known: Sequence[Candidate], watch: FitWatcher
) -> list[Measured]:
    """The best affine map, bent where that lowers the error by much."""
    config = problem.config.residual
    straight = affine_among(known)
    if not straight or problem.explains(straight[0].alignment_error):
        return []
    if len(problem.rows) < config.fewest_rows:
        return []
    state, action = straight[0].mapping.state, straight[0].mapping.action
    assert isinstance(state, Affine) and isinstance(action, Affine)
    bent = DomainMapping(
        ResidualAffine.around(state, config.widths, generator=problem.generator),
        ResidualAffine.around(action, config.widths, generator=problem.generator),
    )
    schedule = FitConfig(
        updates=problem.config.updates,
        batch_size=problem.config.batch_size,
        learning_rate=config.learning_rate,
        validation_share=config.validation_share,
        evaluate_every=config.evaluate_every,
        patience=config.patience,
    )
    found = problem.fit(bent, schedule, config.moments, watch)
    least = config.worth * straight[0].alignment_error
    return [one for one in found if one.alignment_error <= least]
