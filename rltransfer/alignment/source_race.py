"""Several sources in one target: which of them act how often, and what is known then.

Exploring is shared, and so is every step that a candidate takes: whichever source
acted, all of them are compared with what it showed.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import final

from rltransfer.alignment.candidates import Candidate, Trial


def rungs(sources: int, beam: int) -> Iterator[tuple[int, int]]:
    """Yields how many sources are left, and how many candidates of each act at most.

    Successive halving (Karnin, Koren & Somekh, ICML 2013): the worse half drops out by
    what its candidates earned, and those that are left share the beam, until one has it
    to itself. The second number counts those that acted in earlier rungs.

    Args:
        sources: at least one; one has the whole beam at once.
        beam: candidates that one source alone acts with.
    """
    yield sources, max(1, beam // sources)
    if sources > 1:
        yield from rungs((sources + 1) // 2, beam)


def likeliest_first(waiting: Mapping[int, Sequence[Candidate]]) -> list[int]:
    """Returns the places of sources, in the order in which they act.

    What settles it goes first, then the smaller alignment error: where steps run short
    the last ones do not act.

    Args:
        waiting: candidates of each source, at least one, the first to act first.
    """

    def unlikely(place: int) -> tuple[bool, float]:
        candidate = waiting[place][0]
        return not candidate.settles, candidate.alignment_error

    return sorted(waiting, key=unlikely)


@final
@dataclass(frozen=True, eq=False)
class SourceEvidence:
    """What is known of one source when an alignment has come to its end."""

    kept: bool
    trials: int
    """Candidates of it that acted."""
    candidate: Candidate | None
    """The chosen one of the kept source; of others the one that earned most.

    Where none acted, the likeliest one; None where every fit diverged.
    """
    trial_return: float | None
    """What that one earned in its trial; None where it never acted."""
    target_steps: int
    """That were taken for this source alone: exploring is shared."""
    members: int = 0
    """Of the ensemble that is the answer; 0 where the answer is one mapping."""
    say: float = 0.0
    """Share of these in its actions, on average over the states of its trial."""

    @classmethod
    def of(
        cls, likeliest: Candidate | None, trials: Sequence[Trial]
    ) -> "SourceEvidence":
        """Returns what is known of a source that was not kept.

        Args:
            likeliest: candidate, if it had one.
            trials: of its candidates.
        """
        best = max(trials, key=lambda trial: trial.score, default=None)
        return cls(
            kept=False,
            trials=len(trials),
            candidate=likeliest if best is None else best.candidate,
            trial_return=None if best is None else best.score,
            target_steps=sum(len(trial.rollout.transitions) for trial in trials),
        )
