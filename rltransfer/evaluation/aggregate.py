"""One figure for many pairs and seeds, after Agarwal et al. (NeurIPS 2021).

Scores are one row of numbers for each pair, one for each seed. Means over few seeds are
ruled by outliers, and a mean without an interval says little: so the interquartile mean
over all rows, the probability of improvement, and intervals from the bootstrap that
resamples the seeds of each pair by themselves (stratified).
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias, final

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

from rltransfer.evaluation.summary import checked_returns, interquartile_mean

Scores: TypeAlias = Sequence[NDArray[np.float64]]
"""One row for each pair, one number for each seed."""
_DRAWS = 2_000


@final
@dataclass(frozen=True)
class Estimate:
    """A figure with its 95 % bootstrap interval."""

    value: float
    low: float
    high: float

    def __format__(self, spec: str) -> str:
        """Returns the figure and its interval, each number in the given form."""
        value, low, high = (format(x, spec) for x in (self.value, self.low, self.high))
        return f"{value} ({low} to {high})"


def aggregate_iqm(scores: Scores, seed: int, draws: int = _DRAWS) -> Estimate:
    """Returns the interquartile mean over all pairs and seeds.

    Args:
        scores: must be comparable between pairs, such as normalised returns.
        seed: of the resampling.
        draws: bootstrap samples.
    """
    return _estimated(
        lambda rows: interquartile_mean(np.concatenate(rows)), [scores], seed, draws
    )


def probability_of_improvement(
    ours: Scores, theirs: Scores, seed: int, draws: int = _DRAWS
) -> Estimate:
    """Returns how likely a run of ours beats one of theirs, on a pair drawn at random.

    Per pair it is the statistic of Mann & Whitney (1947) as a share: a tie counts one
    half. The pairs' mean is returned.

    Args:
        ours: scores per pair, more is better.
        theirs: of the same pairs in the same order; other numbers of seeds are welcome.
        seed: of the resampling.
        draws: bootstrap samples.
    """
    pairs = len(ours)

    def share(rows: Scores) -> float:
        wins = [_wins(x, y) for x, y in zip(rows[:pairs], rows[pairs:], strict=True)]
        return float(np.mean(wins))

    return _estimated(share, [ours, theirs], seed, draws)


def harm_rate(
    areas: Scores, scratch_areas: Scores, seed: int, draws: int = _DRAWS
) -> Estimate:
    """Returns the share of runs whose area under the curve is below scratch's.

    Args:
        areas: one row per pair, of the same seeds in the same order as scratch's.
        scratch_areas: of learning from scratch.
        seed: of the resampling.
        draws: bootstrap samples.
    """
    below = [
        np.asarray(x < y, np.float64) for x, y in zip(areas, scratch_areas, strict=True)
    ]
    return _estimated(
        lambda rows: float(np.concatenate(rows).mean()), [below], seed, draws
    )


@final
@dataclass(frozen=True)
class Censored:
    """A number of which only bounds may be known, such as steps to a threshold.

    A run that did not reach the threshold within its budget is censored: it takes the
    budget or more, and neither counts as the budget nor drops out.
    """

    low: float
    high: float

    def __post_init__(self) -> None:
        if not self.low <= self.high:
            raise ValueError(f"bounds must be in order, got {self.low}, {self.high}")

    @classmethod
    def of(cls, steps: int | None, budget: int) -> "Censored":
        """Returns steps to a threshold; None was not reached within `budget`."""
        if steps is None:
            return cls(float(budget), math.inf)
        return cls(float(steps), float(steps))

    def over(self, other: "Censored") -> "Censored":
        """Returns the ratio to another number; nothing is known of one to 0."""
        if not other.low:
            return Censored(0.0, math.inf)
        return Censored(
            0.0 if math.isinf(other.high) else self.low / other.high,
            math.inf if math.isinf(self.high) else self.high / other.low,
        )

    def __str__(self) -> str:
        low, high = map(_number, (self.low, self.high))
        if self.low == self.high:
            return low
        if math.isinf(self.high):
            return f"≥ {low}" if self.low else "unknown"
        return f"{low} to {high}" if self.low else f"≤ {high}"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.2f}"


def censored_iqm(values: Sequence[Censored]) -> Censored:
    """Returns the interquartile mean; exact if what is not known was cut off anyway."""
    return _of_bounds(values, interquartile_mean)


def censored_median(values: Sequence[Censored]) -> Censored:
    """Returns the median; exact if fewer than half of the numbers are not known."""
    return _of_bounds(values, lambda row: float(np.median(row)))


def _of_bounds(
    values: Sequence[Censored], statistic: Callable[[NDArray[np.float64]], float]
) -> Censored:
    # Both statistics rise with every value, so bounds go to bounds.
    lows = checked_returns([value.low for value in values])
    return Censored(statistic(lows), statistic(np.array([v.high for v in values])))


def _wins(
    ours: Float[np.ndarray, " run"], theirs: Float[np.ndarray, " other"]
) -> float:
    difference = ours[:, None] - theirs
    return float((difference > 0).mean() + (difference == 0).mean() / 2)


def _estimated(
    statistic: Callable[[Scores], float],
    groups: Sequence[Scores],
    seed: int,
    draws: int,
) -> Estimate:
    """Returns a statistic with its percentile interval over resampled rows."""
    rows = [checked_returns(row) for group in groups for row in group]
    if not rows or len({len(group) for group in groups}) > 1:
        raise ValueError(
            "scores are one row for each pair, at least one and of both sides as many, "
            f"got {[len(group) for group in groups]}"
        )
    rng = np.random.default_rng(seed)
    drawn = [
        statistic([row[rng.integers(len(row), size=len(row))] for row in rows])
        for _ in range(draws)
    ]
    low, high = np.quantile(drawn, (0.025, 0.975))
    return Estimate(statistic(rows), float(low), float(high))
