"""Aggregates over pairs and seeds, checked on scores that are counted by hand."""

import math

import numpy as np
import pytest

from rltransfer.evaluation import (
    Censored,
    Estimate,
    aggregate_iqm,
    censored_iqm,
    censored_median,
    harm_rate,
    probability_of_improvement,
)


def rows(*values: list[float]) -> list[np.ndarray]:
    return [np.array(row) for row in values]


def test_the_iqm_is_over_all_pairs_and_seeds_together() -> None:
    # Sorted 0 1 2 3 4 5 6 99: a quarter is two values, and 2 3 4 5 are left.
    found = aggregate_iqm(rows([0.0, 99.0, 3.0, 4.0], [1.0, 2.0, 5.0, 6.0]), seed=0)
    assert found.value == 3.5
    assert found.low < 3.5 < found.high


def test_resampling_stays_within_a_pair() -> None:
    # Equal seeds within pairs: whatever is drawn, the same scores come.
    found = aggregate_iqm(rows([1.0, 1.0], [5.0, 5.0]), seed=0)
    assert (found.low, found.value, found.high) == (3.0, 3.0, 3.0)
    # Drawn across pairs, the means would spread from 1 to 5.


def test_the_interval_of_two_values_is_that_of_their_means() -> None:
    # Means of two draws from {0, 1}: 0, 1/2, 1 with chances 1/4, 1/2, 1/4.
    found = aggregate_iqm(rows([0.0, 1.0]), seed=0)
    assert (found.low, found.value, found.high) == (0.0, 0.5, 1.0)


def test_the_same_seed_gives_the_same_interval() -> None:
    scores = rows(list(np.random.default_rng(0).normal(size=9)))
    assert aggregate_iqm(scores, seed=3) == aggregate_iqm(scores, seed=3)
    assert aggregate_iqm(scores, seed=3) != aggregate_iqm(scores, seed=4)


def test_the_probability_of_improvement_counts_pairs_of_runs_and_half_of_ties() -> None:
    # Of 2 x 2 comparisons 3 > 1, 3 > 2, 2 > 1 and a tie: 3.5 of 4.
    assert probability_of_improvement(
        rows([3.0, 2.0]), rows([1.0, 2.0]), seed=0
    ).value == pytest.approx(0.875)
    # The second pair is lost altogether; both weigh the same in spite of its seeds.
    both = probability_of_improvement(
        rows([3.0, 2.0], [0.0, 0.0, 0.0]), rows([1.0, 2.0], [1.0]), seed=0
    )
    assert both.value == pytest.approx(0.4375)
    assert 0 <= both.low <= both.value <= both.high <= 1


def test_harm_is_by_seed() -> None:
    # Seed by seed only the last is below scratch, though sorted rows would differ.
    found = harm_rate(rows([5.0, 1.0], [2.0, 2.0]), rows([4.0, 1.0], [1.0, 3.0]), 0)
    assert found.value == 0.25


def test_censored_runs_are_bounds_and_no_numbers() -> None:
    reached, censored = Censored.of(200, 900), Censored.of(None, 900)
    assert (censored.low, censored.high) == (900.0, math.inf)
    assert str(reached) == "200"
    assert str(censored) == "≥ 900"
    assert reached.over(Censored.of(400, 900)) == Censored(0.5, 0.5)
    assert str(reached.over(censored)) == "≤ 0.22"
    # Scratch took 900 or more: ours took at most 200 / 900 of it.
    assert reached.over(censored) == Censored(0.0, 200 / 900)
    assert censored.over(reached) == Censored(4.5, math.inf)
    assert str(censored.over(censored)) == "unknown"
    # A learner that solves it before its first step.
    assert str(reached.over(Censored.of(0, 900))) == "unknown"


def test_an_aggregate_is_exact_where_censored_runs_are_cut_off() -> None:
    steps = [Censored.of(value, 900) for value in (100, 200, 300, None)]
    # A quarter is one value at each end: 200 and 300 are left.
    assert censored_iqm(steps) == Censored(250.0, 250.0)
    assert censored_median(steps) == Censored(250.0, 250.0)
    more = [Censored.of(value, 900) for value in (100, 200, None, None)]
    assert censored_iqm(more) == Censored(550.0, math.inf)
    assert censored_median(more) == Censored(550.0, math.inf)


def test_an_estimate_prints_with_its_interval() -> None:
    assert f"{Estimate(0.5, 0.25, 1.0):.2f}" == "0.50 (0.25 to 1.00)"


@pytest.mark.parametrize("ours", [[], rows([1.0], [2.0]), rows([math.nan])])
def test_scores_that_do_not_compare_are_refused(ours: list[np.ndarray]) -> None:
    with pytest.raises(ValueError, match=r"one row|finite"):
        probability_of_improvement(ours, rows([1.0]), seed=0)
