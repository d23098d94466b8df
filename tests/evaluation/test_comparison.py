"""A candidate beats a baseline when, and only when, its episodes say so."""

import itertools
import math
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import mannwhitneyu, ttest_ind

from rltransfer.evaluation import (
    beats,
    beats_by_rank,
    difference_interval,
    episodes_needed,
)
from rltransfer.evaluation.comparison import BOTH, RANKS, WELCH, rank_test, welch_test


def test_welch_on_two_episodes_each_is_the_arctangent() -> None:
    # Means 3 and 1, variances 2 and 2 over 2 episodes: t = 2 / sqrt(2) and, the
    # variances being equal, 2 degrees of freedom, where the tail is closed:
    # (1 - t / sqrt(2 + t^2)) / 2 with t^2 = 2.
    p_value = welch_test(np.array([2.0, 4.0]), np.array([0.0, 2.0]))
    assert p_value == pytest.approx((1 - math.sqrt(2) / 2) / 2)


def test_welch_with_one_constant_side_has_the_freedom_of_the_other() -> None:
    # Only the baseline varies: t = 9.5 / (sqrt(0.5) / sqrt(2)) = 19 with 1 degree of
    # freedom, the Cauchy distribution.
    p_value = welch_test(np.array([10.0, 10.0]), np.array([0.0, 1.0]))
    assert p_value == pytest.approx(0.5 - math.atan(19) / math.pi)


def test_the_interval_of_two_episodes_each_is_the_quantile_of_students_t() -> None:
    # Means 5 and 2; variances 2 and 2 over 2 episodes: error sqrt(2), freedom 2. Of
    # Student's t with 2 degrees the quantile at 0.95 is 0.9 / sqrt(2 * 0.95 * 0.05).
    reach = math.sqrt(2) * 0.9 / math.sqrt(2 * 0.95 * 0.05)
    low, high = difference_interval([4.0, 6.0], [1.0, 3.0], confidence=0.9)
    assert (low, high) == pytest.approx((3 - reach, 3 + reach))


def test_the_interval_is_above_zero_where_welchs_test_is_as_sure() -> None:
    rng = np.random.default_rng(0)
    for gap in np.linspace(0.0, 2.0, 9):
        ours, theirs = rng.normal(gap, 1.0, 12), rng.normal(0.0, 2.0, 20)
        low, _ = difference_interval(ours, theirs, confidence=0.98)
        assert (low > 0) == (welch_test(ours, theirs) < 0.01)


def test_returns_that_never_vary_have_an_interval_without_width() -> None:
    assert difference_interval([3.0, 3.0], [1.0, 1.0]) == (2.0, 2.0)


def test_an_interval_of_one_episode_is_refused() -> None:
    with pytest.raises(ValueError, match="two episodes or more of each, got 1 and 3"):
        difference_interval([3.0], [1.0, 2.0, 3.0])


def test_ranks_of_three_above_three_are_one_split_in_twenty() -> None:
    assert rank_test(np.array([4.0, 5.0, 6.0]), np.arange(3.0)) == pytest.approx(1 / 20)


def test_where_only_ranks_are_known_they_alone_decide() -> None:
    # The highest of 19 others by a hair: Welch's test has nothing to say.
    candidate, baseline = [18.5], [float(value) for value in range(19)]
    assert beats_by_rank([18.1], baseline).p_value == pytest.approx(0.05)
    assert beats_by_rank([18.1], baseline).better
    assert not beats_by_rank([17.5], baseline).better
    twice = beats_by_rank(candidate * 2, [0.0, 18.4, 18.4])
    assert not twice.better and twice.p_value == pytest.approx(0.1)  # 1 in C(5, 2)


def test_ranks_with_ties_count_every_split_at_least_as_good() -> None:
    # Pooled 1, 1, 2 have ranks 1.5, 1.5, 3. One of three splits gives a single episode
    # rank 3; all three give it 1.5 or more.
    assert rank_test(np.array([2.0]), np.array([1.0, 1.0])) == pytest.approx(1 / 3)
    assert rank_test(np.array([1.0]), np.array([1.0, 2.0])) == pytest.approx(1.0)


@pytest.mark.parametrize(("ours", "theirs"), [(1, 6), (4, 3), (5, 4)])
def test_ranks_are_counted_as_by_listing_every_split(ours: int, theirs: int) -> None:
    rng = np.random.default_rng(ours)
    pooled = rng.integers(0, 5, ours + theirs).astype(np.float64)
    ranks = [(pooled < value).sum() + (pooled <= value).sum() for value in pooled]
    splits = [sum(split) for split in itertools.combinations(ranks, ours)]
    as_good = sum(split >= sum(ranks[:ours]) for split in splits)
    p_value = rank_test(pooled[:ours], pooled[ours:])
    assert p_value == pytest.approx(as_good / len(splits))


@pytest.mark.parametrize("episodes", [8, 30, 400])
def test_both_tests_agree_with_scipy(episodes: int) -> None:
    rng = np.random.default_rng(episodes)
    candidate, baseline = rng.normal(0.3, 2, episodes), rng.normal(size=episodes + 3)
    welch = ttest_ind(candidate, baseline, equal_var=False, alternative="greater")
    ranks = mannwhitneyu(candidate, baseline, alternative="greater")
    assert welch_test(candidate, baseline) == pytest.approx(welch.pvalue)
    assert rank_test(candidate, baseline) == pytest.approx(ranks.pvalue, rel=0.02)


@pytest.mark.parametrize(
    ("candidate", "baseline", "method"),
    [
        ([500.0], [9.0, 10.0, 11.0], RANKS),
        ([9.0, 10.0, 11.0], [500.0], RANKS),
        ([500.0, 500.0], [-200.0] * 3, RANKS),
        ([500.0, 500.0], [9.0, 10.0], WELCH),
        ([9.0, 10.0], [500.0, 500.0], WELCH),
        ([5.0, 6.0, 7.0], [1.0, 2.0, 3.0], BOTH),
        ([1.0, 2.0, 3.0], [5.0, 6.0, 7.0], BOTH),
    ],
)
def test_the_method_follows_from_sizes_and_variation_alone(
    candidate: list[float], baseline: list[float], method: str
) -> None:
    assert beats(candidate, baseline).method == method


def test_one_episode_needs_nineteen_others_to_reach_95_percent() -> None:
    assert beats([500.0], list(map(float, range(19)))).better
    assert not beats([500.0], list(map(float, range(18)))).better


def test_a_few_good_episodes_are_enough_where_the_gap_is_wide() -> None:
    assert beats([-150.0, -140.0], [-1200.0, -1100.0, -1300.0]).better
    assert beats([500.0] * 3, [22.0, 15.0, 41.0, 9.0]).better


def test_constant_and_equal_sides_prove_nothing() -> None:
    comparison = beats([-200.0] * 10, [-200.0] * 10)
    assert comparison.p_value == 1.0
    assert not comparison.better


def test_a_worse_candidate_is_never_better() -> None:
    assert beats([1.0, 2.0, 3.0], [5.0, 6.0, 7.0]).p_value > 0.95


def test_more_confidence_asks_for_more() -> None:
    candidate, baseline = [4.0, 5.0, 6.0], [0.0, 1.0, 2.0]
    assert beats(candidate, baseline, confidence=0.95).better
    assert not beats(candidate, baseline, confidence=0.99).better


def test_a_confidence_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="confidence must be in"):
        beats([1.0], [0.0], confidence=95.0)


Draw = Callable[[np.random.Generator, int], NDArray[np.float64]]
DISTRIBUTIONS: dict[str, Draw] = {
    "normal": lambda rng, size: rng.normal(size=size),
    "right-skewed": lambda rng, size: rng.exponential(size=size),
    "left-skewed": lambda rng, size: -rng.exponential(size=size),
    "seldom": lambda rng, size: (rng.random(size) < 0.3).astype(np.float64),
}


@pytest.mark.parametrize("name", DISTRIBUTIONS)
@pytest.mark.parametrize(
    ("ours", "theirs"), [(1, 25), (2, 2), (2, 4), (2, 20), (20, 2), (3, 3), (5, 30)]
)
def test_equal_policies_are_called_better_in_about_5_percent_at_most(
    name: str, ours: int, theirs: int
) -> None:
    rng, draw, trials = np.random.default_rng(11), DISTRIBUTIONS[name], 400
    wrong = sum(beats(draw(rng, ours), draw(rng, theirs)).better for _ in range(trials))
    # Three standard errors above 5 %.
    assert wrong / trials <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / trials)


def test_a_mean_that_is_equal_but_varies_more_is_not_called_better() -> None:
    rng, trials = np.random.default_rng(2), 600
    wrong = sum(
        beats(rng.normal(0, 10, size=3), rng.normal(size=30)).better
        for _ in range(trials)
    )
    assert wrong / trials <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / trials)


def test_a_clear_gain_is_found_in_most_cases() -> None:
    rng = np.random.default_rng(4)
    found = sum(
        beats(rng.normal(3, 1, size=4), rng.normal(size=10)).better for _ in range(200)
    )
    assert found >= 190


@pytest.mark.parametrize(
    ("baseline", "needed"), [(0, 1), (1, 19), (2, 5), (3, 3), (5, 2), (19, 1)]
)
def test_ranks_need_so_many_episodes(baseline: int, needed: int) -> None:
    # C(baseline + needed, needed) must be at least 20: C(20, 19) = 20, C(7, 5) = 21.
    assert episodes_needed(baseline, 0.95) == needed
