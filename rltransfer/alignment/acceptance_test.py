"""Whether the chosen candidate beats acting at random, with confidence."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from rltransfer.evaluation import (
    Comparison,
    beats,
    beats_by_rank,
    episodes_needed,
)

Returns: TypeAlias = NDArray[np.float64]
"""One for each episode."""


@final
@dataclass(frozen=True, eq=False)
class AcceptanceTest:
    """What the chosen candidate earned on fresh episodes, and acting at random.

    Args:
        random_returns: one for each episode of acting at random.
        returns: one for each episode of the candidate; none of them chose it.
        confidence: needed to accept it.
        stopped_above: return above which episodes of the candidate were stopped; None
            where they went on to their end.
        untested: whether no target step was allowed, so that nothing was tested.
    """

    random_returns: Returns
    returns: Returns
    confidence: float
    stopped_above: float | None = None
    untested: bool = False

    @classmethod
    def none(cls, confidence: float) -> "AcceptanceTest":
        """Returns what stands for a test where no target step is allowed."""
        return cls(np.zeros(0), np.zeros(0), confidence, untested=True)

    def followed_by(
        self, returns: Sequence[float] = (), random_returns: Sequence[float] = ()
    ) -> "AcceptanceTest":
        """Returns the test with these episodes too.

        Args:
            returns: of the candidate; none of them chose it.
            random_returns: of acting at random.
        """
        return replace(
            self,
            returns=np.append(self.returns, returns),
            random_returns=np.append(self.random_returns, random_returns),
        )

    @property
    def comparison(self) -> Comparison | None:
        """The test; None where one side has no episode."""
        if not len(self.returns) or not len(self.random_returns):
            return None
        if self.stopped_above is not None:
            # How much higher they would have been is not known, only their ranks are.
            return beats_by_rank(self.returns, self.random_returns, self.confidence)
        return beats(self.returns, self.random_returns, self.confidence)

    @property
    def accepted(self) -> bool | None:
        """Whether the candidate may be used; None where that was not tested."""
        if self.untested:
            return None
        return self.comparison is not None and self.comparison.better

    @property
    def missing(self) -> int:
        """Episodes of the candidate without which none is accepted by their ranks.

        While there are some, more may be taken without harm: what the fewer ones said
        is put aside. Once there are none, a second look would be a second chance to
        look good by luck.
        """
        needed = episodes_needed(len(self.random_returns), self.confidence)
        return max(0, needed - len(self.returns))

    @property
    def decides(self) -> bool:
        """Whether there are episodes enough to accept a candidate."""
        return len(self.random_returns) > 0 and not self.missing

    def is_lost(self, further: int) -> bool:
        """Returns whether it decides against the candidate whatever comes.

        Args:
            further: episodes of the candidate that are still to come, at most.
        """
        if self.comparison is None or self.missing > further:
            return False
        above = 1.0 + float(max(self.returns.max(), self.random_returns.max()))
        best = np.append(self.returns, np.full(further, above))
        return not beats_by_rank(best, self.random_returns, self.confidence).better

    @property
    def open(self) -> bool:
        """Whether its episodes are too few to decide, and all are ahead."""
        if self.decides:
            return False
        if self.comparison is None:
            return True
        return float(self.returns.min()) > float(self.random_returns.max())

    @property
    def verdict(self) -> str:
        """What the test says, in plain words."""
        if self.untested:
            return (
                "unproved: the mapping rests on logged steps alone and was never tried "
                "in the target; it may be worthless until -n steps test it"
            )
        if not len(self.random_returns):
            return (
                "refused: the budget ended before one random episode did, so there is "
                "nothing to compare with; raise -n"
            )
        if self.comparison is None:
            return "refused: the budget left no episode to test with; raise -n"
        least = "" if self.stopped_above is None else "at least "
        figures = (
            f"{least}{self.returns.mean():.1f} over {_episodes(self.returns)} against "
            f"{self.random_returns.mean():.1f} over {len(self.random_returns)} at "
            f"random (p = {self.comparison.p_value:.2g}, {self.comparison.method})"
        )
        if self.stopped_above is not None:
            figures += (
                "; no reward was negative, so episodes were stopped above "
                f"{self.stopped_above:.1f}, the best at random until then"
            )
        if self.accepted:
            return f"accepted: better than random with {self._sure}: {figures}"
        if self.open:
            return (
                f"refused, too few episodes to decide: {figures}; {self._sure} needs "
                f"p = {1 - self.confidence:.2g} or less: raise -n"
            )
        return (
            f"refused: not better than random with {self._sure}: {figures}; train "
            "from scratch, try another source, or raise -n"
        )

    @property
    def _sure(self) -> str:
        return f"{100 * self.confidence:.4g} % confidence"


def _episodes(returns: Returns) -> str:
    return "1 episode" if len(returns) == 1 else f"{len(returns)} episodes"


def random_to_beat(
    held: Returns,
    single: Returns,
    episodes: int,
    confidence: float,
    fewest: int,
) -> Returns:
    """Returns the random episodes that a mapping has to beat.

    Of the two ways to act at random the better one, if it was seen often enough to
    decide anything; else all episodes together.

    Args:
        held: returns of episodes that hold each action for a while.
        single: returns of episodes that draw a new action at every step.
        episodes: of the mapping.
        confidence: needed to accept it.
        fewest: episodes of one way that may be compared with alone.
    """
    kinds = [returns for returns in (held, single) if len(returns)]
    if not kinds:
        return held
    best = max(kinds, key=lambda returns: float(returns.mean()))
    enough = len(best) >= fewest and episodes_needed(len(best), confidence) <= episodes
    return best if enough else np.concatenate(kinds)
