"""Whether one policy earns more than another, with confidence."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from jaxtyping import Float, Int
from numpy.typing import NDArray

from rltransfer.evaluation.summary import checked_returns

WELCH = "Welch's t-test"
RANKS = "exact rank test"
BOTH = f"{WELCH} and {RANKS}, the larger p"
_ROUNDING = 1e-12
"""So that 1 in 20 passes 95 %, although 1 - 0.95 is not exact in binary."""
_ENOUGH_SPLITS = 20
_MOST_COUNTED = 10**8
"""Additions that counting rank sums may take: a fraction of a second."""


@final
@dataclass(frozen=True)
class Comparison:
    """The outcome of asking whether a candidate beats a baseline."""

    p_value: float
    """How often a candidate no better than the baseline would look this good."""
    better: bool
    method: str


def beats(
    candidate_returns: Sequence[float] | NDArray[np.float64],
    baseline_returns: Sequence[float] | NDArray[np.float64],
    confidence: float = 0.95,
) -> Comparison:
    """Returns whether the candidate earns more per episode than the baseline.

    Of two one-sided tests the larger p-value counts. Welch's t-test allows unequal
    variances, but assumes returns that are near normal: with 2 episodes against 20 of a
    skewed return it errs in 20 % of cases instead of 5 %. The rank test holds for any
    distribution, but assumes that a candidate that is no better has the same one as the
    baseline. Both assume independent episodes.

    Which of them apply is decided by how many episodes there are and by whether they
    vary, never by which side is ahead:

    - Welch's applies where both sides have two episodes or more and one side varies.
    - The rank test applies unless Welch's does and there are fewer than 20 ways to
      split the episodes between the sides, so that ranks could never reach 95 %. One
      episode needs 19 others for that, three need three; more confidence needs more.

    Args:
        candidate_returns: one per episode, none of them used to pick the candidate.
        baseline_returns: one per episode.
        confidence: needed to call the candidate better.
    """
    if not 0.5 <= confidence < 1:
        raise ValueError(f"confidence must be in [0.5, 1), got {confidence}")
    candidate = checked_returns(candidate_returns)
    baseline = checked_returns(baseline_returns)
    varies = bool(np.ptp(candidate) > 0 or np.ptp(baseline) > 0)
    splits = math.comb(len(candidate) + len(baseline), len(candidate))
    if not varies or min(len(candidate), len(baseline)) < 2:
        p_value, method = rank_test(candidate, baseline), RANKS
    elif splits < _ENOUGH_SPLITS:
        p_value, method = welch_test(candidate, baseline), WELCH
    else:
        p_values = welch_test(candidate, baseline), rank_test(candidate, baseline)
        p_value, method = max(p_values), BOTH
    return Comparison(p_value, p_value <= 1 - confidence + _ROUNDING, method)


def beats_by_rank(
    candidate_returns: Sequence[float] | NDArray[np.float64],
    baseline_returns: Sequence[float] | NDArray[np.float64],
    confidence: float = 0.95,
) -> Comparison:
    """Returns what the exact rank test alone says; see `beats`.

    For returns of which only the ranks are known.

    Args:
        candidate_returns: one per episode, none of them used to pick the candidate.
        baseline_returns: one per episode.
        confidence: needed to call the candidate better.
    """
    candidate = checked_returns(candidate_returns)
    p_value = rank_test(candidate, checked_returns(baseline_returns))
    return Comparison(p_value, p_value <= 1 - confidence + _ROUNDING, RANKS)


def episodes_needed(baseline_episodes: int, confidence: float) -> int:
    """Returns how many episodes let ranks alone show that a candidate is better.

    The highest of all rank sums has probability 1 / C(n + m, m) by chance.

    Args:
        baseline_episodes: without any, nothing can be shown, and 1 is returned.
        confidence: needed to call the candidate better.
    """
    if baseline_episodes < 1:
        return 1
    needed = 1
    while (
        math.comb(baseline_episodes + needed, needed) * (1 - confidence + _ROUNDING) < 1
    ):
        needed += 1
    return needed


def welch_test(
    candidate: Float[np.ndarray, " episode"], baseline: Float[np.ndarray, " other"]
) -> float:
    """Returns the one-sided p-value of Welch (Biometrika 34, 1947)."""
    # Loads slowly, and most of the command line does without.
    from scipy.special import stdtr

    gap, error, freedom = _welch(candidate, baseline)
    return float(stdtr(freedom, -gap / error))


def difference_interval(
    candidate_returns: Sequence[float] | NDArray[np.float64],
    baseline_returns: Sequence[float] | NDArray[np.float64],
    confidence: float = 0.95,
) -> tuple[float, float]:
    """Returns Welch's interval of how much more the candidate earns per episode.

    Args:
        candidate_returns: two or more, one per episode.
        baseline_returns: likewise.
        confidence: how often such an interval holds the difference of the means.
    """
    from scipy.special import stdtrit

    candidate = checked_returns(candidate_returns)
    baseline = checked_returns(baseline_returns)
    if min(len(candidate), len(baseline)) < 2:
        raise ValueError(
            "an interval takes two episodes or more of each, got "
            f"{len(candidate)} and {len(baseline)}"
        )
    gap, error, freedom = _welch(candidate, baseline)
    # Returns that never vary leave nothing to be unsure of.
    reach = error and error * float(stdtrit(freedom, (1 + confidence) / 2))
    return gap - reach, gap + reach


def _welch(
    candidate: NDArray[np.float64], baseline: NDArray[np.float64]
) -> tuple[float, float, float]:
    """Returns the difference of means, its standard error, and degrees of freedom."""
    gap = float(candidate.mean() - baseline.mean())
    first, second = (
        float(side.var(ddof=1)) / len(side) for side in (candidate, baseline)
    )
    spread = first**2 / (len(candidate) - 1) + second**2 / (len(baseline) - 1)
    freedom = (first + second) ** 2 / spread if spread else math.inf
    return gap, math.sqrt(first + second), freedom


def rank_test(
    candidate: Float[np.ndarray, " episode"], baseline: Float[np.ndarray, " other"]
) -> float:
    """Returns the one-sided p-value of Wilcoxon's rank sum (1945), ties included.

    It is the share of all splits of the pooled ranks that give the candidate at least
    its sum: exact, unless there are too many to count.
    """
    ranks = doubled_ranks(np.concatenate([candidate, baseline]))
    taken, total = len(candidate), len(ranks)
    rank_sum = int(ranks[:taken].sum())
    highest = int(np.sort(ranks)[total - taken :].sum())
    if total * taken * highest > _MOST_COUNTED:
        return _normal_tail(ranks, taken, rank_sum)
    # shares[k, s]: of all orders, the share in which k of the ranks so far went to the
    # candidate and sum to s. Shares instead of counts, which would overflow.
    shares = np.zeros((taken + 1, highest + 1))
    shares[0, 0] = 1.0
    for seen, rank in enumerate(ranks.tolist()):
        odds = np.arange(1, taken + 1)[:, None] / (seen + 1)
        added = shares[:-1, : highest + 1 - rank] * odds
        shares *= np.maximum(1 - np.arange(taken + 1)[:, None] / (seen + 1), 0)
        shares[1:, rank:] += added
    return min(1.0, float(shares[taken, rank_sum:].sum()))


def doubled_ranks(values: Float[np.ndarray, " value"]) -> Int[np.ndarray, " value"]:
    """Returns twice the rank of each value; equal values share their mean rank."""
    ordered = np.sort(values)
    below = np.searchsorted(ordered, values, side="left")
    not_above = np.searchsorted(ordered, values, side="right")
    doubled: NDArray[np.int64] = below + not_above + 1
    return doubled


def _normal_tail(ranks: NDArray[np.int64], taken: int, rank_sum: int) -> float:
    total = len(ranks)
    spread = taken * (total - taken) / total * float(ranks.var(ddof=1))
    # The continuity correction: half a rank, doubled.
    excess = rank_sum - 1 - taken * float(ranks.mean())
    return 0.5 * math.erfc(excess / math.sqrt(2 * spread)) if spread else 1.0
