"""Acting with a candidate, and what its returns say."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, final, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from rltransfer.alignment.candidates import Candidate, by_simplicity
from rltransfer.domain import Rollout
from rltransfer.mapping import Progress
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
        return float(limit or 2 * taken)


def preferred(
    trials: Sequence[Trial], random_returns: NDArray[np.float64]
) -> list[Trial]:
    """Returns `trials`, best first.

    Returns decide. Trials start alike, so that luck is shared, and only the episodes
    that all of them finished are compared; but a few are few: among trials that come
    within 5 % of the best on the way up from random, the simpler rung goes first, and
    then the smaller mismatch.

    Args:
        trials: at least one.
        random_returns: of finished episodes; there may be none.
    """
    scores = _comparable_scores(trials)
    best = max(scores)
    floor = float(random_returns.mean()) if len(random_returns) else min(scores)
    bar = best - _TIE * max(best - floor, 0.0) if np.isfinite(floor) else best

    def rank(place: int) -> tuple[bool, float, int, float]:
        tied, candidate = scores[place] >= bar, trials[place].candidate
        score = 0.0 if tied else -scores[place]
        return not tied, score, by_simplicity(candidate), candidate.alignment_error

    return [trials[place] for place in sorted(range(len(trials)), key=rank)]


def _comparable_scores(trials: Sequence[Trial]) -> list[float]:
    finished = [len(trial.rollout.returns) for trial in trials]
    common = min((count for count in finished if count), default=0)
    longest = max(len(trial.rollout.transitions) for trial in trials)

    def score(trial: Trial) -> float:
        if len(trial.rollout.returns):
            return float(trial.rollout.returns[:common].mean())
        # What little an episode cut short has paid says nothing where steps cost.
        cut_short = len(trial.rollout.transitions) < longest / 2
        return -np.inf if cut_short else trial.score

    return [score(trial) for trial in trials]


@runtime_checkable
class Watcher(Protocol):
    """Told what happens while it happens: progress bars, logs."""

    def phase(self, name: str, used: int) -> None:
        """A phase begins; `used` target steps are spent so far."""

    def fitted(self, family: str, progress: Progress) -> None:
        """A fit went on."""

    def tried(self, trial: Trial, used: int) -> None:
        """A candidate was acted with."""


class Silent:
    """Is told everything and says nothing."""

    def phase(self, name: str, used: int) -> None:
        """Says nothing."""

    def fitted(self, family: str, progress: Progress) -> None:
        """Says nothing."""

    def tried(self, trial: Trial, used: int) -> None:
        """Says nothing."""
