"""Acting with a candidate, and what its returns say."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from rltransfer.alignment.candidates import Candidate
from rltransfer.domain import Rollout
from rltransfer.translation import MappedPolicy

_TIE = 0.05
"""Share of the way up from random within which returns cannot tell."""


@final
@dataclass(frozen=True, eq=False)
class Trial:
    """A candidate that was acted with."""

    round: int
    candidate: Candidate
    policy: MappedPolicy
    rollout: Rollout

    @property
    def score(self) -> float:
        """Mean return of finished episodes; else what the unfinished one had earned."""
        return self.rollout.mean_return

    def episode_steps(self, limit: int | None) -> float:
        """Returns how long an episode of this candidate takes, or may take."""
        finished = len(self.rollout.returns)
        taken = len(self.rollout.transitions)
        if finished:
            return (taken - self.rollout.unfinished_steps) / finished
        return limit or 2 * taken


def preferred(
    trials: Sequence[Trial], random_returns: NDArray[np.float64]
) -> list[Trial]:
    """Returns `trials`, best first.

    Returns decide. Trials start alike, so that luck is shared, but a few episodes are
    few: among trials that come within 5 % of the best on the way up from random, the
    simpler rung goes first, and then the smaller mismatch.
    """
    floor = (
        float(random_returns.mean())
        if len(random_returns)
        else min(trial.score for trial in trials)
    )
    best = max(trial.score for trial in trials)
    bar = best - _TIE * max(best - floor, 0.0)

    def rank(trial: Trial) -> tuple[bool, float, int, float]:
        tied = trial.score >= bar
        return (
            not tied,
            0.0 if tied else -trial.score,
            trial.candidate.height,
            trial.candidate.mismatch,
        )

    return sorted(trials, key=rank)
