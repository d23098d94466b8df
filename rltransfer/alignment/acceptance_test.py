"""How many episodes a proof needs, and what it says."""

import math
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from rltransfer.evaluation import Comparison, beats

_FEW = 3
"""Episodes of one kind that may stand alone."""


@final
@dataclass(frozen=True, eq=False)
class AcceptanceTest:
    """Whether the chosen candidate beats acting at random, on fresh episodes."""

    random_returns: NDArray[np.float64]
    returns: NDArray[np.float64]
    confidence: float

    @property
    def comparison(self) -> Comparison | None:
        """The test; None where one side has no episode."""
        if not len(self.returns) or not len(self.random_returns):
            return None
        return beats(self.returns, self.random_returns, self.confidence)

    @property
    def accepted(self) -> bool:
        """Whether the candidate may be used."""
        return self.comparison is not None and self.comparison.better

    @property
    def verdict(self) -> str:
        """What the proof says, in plain words."""
        sure = f"{100 * self.confidence:g} %"
        if not len(self.random_returns):
            return (
                "refused: the budget ended before one random episode did, so there is "
                "nothing to compare with; raise -n"
            )
        if self.comparison is None:
            return "refused: the budget left no episode to prove with; raise -n"
        told = (
            f"{self.returns.mean():.1f} over {_episodes(self.returns)} against "
            f"{self.random_returns.mean():.1f} over {len(self.random_returns)} at "
            f"random (p = {self.comparison.p_value:.2g}, {self.comparison.method})"
        )
        if self.accepted:
            return f"accepted: better than random with {sure} confidence: {told}"
        if self._cut_short:
            return f"refused for want of episodes: {told}; raise -n"
        return (
            f"refused: not better than random with {sure} confidence: {told}; train "
            "from scratch, try another source, or raise -n"
        )

    @property
    def _cut_short(self) -> bool:
        """Whether every episode was better, and there were too few of them to tell."""
        needed = episodes_needed(len(self.random_returns), self.confidence)
        ahead = float(self.returns.min()) > float(self.random_returns.max())
        return ahead and len(self.returns) < needed


def _episodes(returns: NDArray[np.float64]) -> str:
    return "1 episode" if len(returns) == 1 else f"{len(returns)} episodes"


def stronger(
    held: NDArray[np.float64],
    unheld: NDArray[np.float64],
    episodes: int,
    confidence: float,
) -> NDArray[np.float64]:
    """Returns the random episodes that a mapping has to beat.

    Of the two ways to act at random the better one, if it was seen often enough to
    decide anything; else all episodes together.

    Args:
        held: returns of episodes that hold each action for a while.
        unheld: returns of episodes that draw a new action at every step.
        episodes: of the mapping.
        confidence: that is asked for.
    """
    kinds = [returns for returns in (held, unheld) if len(returns)]
    if not kinds:
        return held
    best = max(kinds, key=lambda returns: float(returns.mean()))
    decides = len(best) >= _FEW and episodes_needed(len(best), confidence) <= episodes
    return best if decides else np.concatenate(kinds)


def episodes_needed(random_episodes: int, confidence: float) -> int:
    """Returns how many episodes let ranks alone show that a candidate is better.

    The highest of all rank sums has probability 1 / C(n + m, m) by chance.
    """
    if random_episodes < 1:
        return 1
    needed = 1
    while math.comb(random_episodes + needed, needed) * (1 - confidence + 1e-12) < 1:
        needed += 1
    return needed
