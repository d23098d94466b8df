"""Returns become a mean, a robust mean and an interval that mean what they say."""

import json
import math
import warnings

import numpy as np
import pytest
from scipy.stats import trim_mean

from rltransfer.evaluation import ReturnSummary, interquartile_mean, summarise


def test_the_interquartile_mean_leaves_out_a_quarter_on_each_side() -> None:
    returns = np.array([100.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, -50.0])
    assert interquartile_mean(returns) == pytest.approx((2 + 3 + 4 + 5) / 4)


@pytest.mark.parametrize("episodes", range(1, 14))
def test_the_interquartile_mean_is_the_trimmed_mean_of_the_literature(
    episodes: int,
) -> None:
    returns = np.random.default_rng(episodes).normal(size=episodes)
    assert interquartile_mean(returns) == pytest.approx(trim_mean(returns, 0.25))


def test_the_interval_of_two_equally_likely_returns_is_known() -> None:
    # The mean of n resampled coin flips is binomial: at n = 100 its 2.5 % and 97.5 %
    # quantiles are 40 and 60 heads.
    summary = summarise([0.0, 1.0] * 50, seed=0)
    assert summary.mean_return == 0.5
    assert summary.ci95 == pytest.approx((0.40, 0.60), abs=0.011)


def test_the_interval_covers_the_true_mean_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(5)
    intervals = [summarise(rng.normal(size=20), seed=0).ci95 for _ in range(200)]
    covered = sum(low <= 0 <= high for low, high in filter(None, intervals))
    assert 176 <= covered <= 198


def test_equal_returns_have_an_interval_without_width_and_no_warning() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        summary = summarise([0.1] * 30, seed=0)
    assert summary.ci95 == (summary.mean_return, summary.mean_return)
    assert summary.iqm == pytest.approx(0.1)


def test_one_episode_is_its_own_summary() -> None:
    summary = summarise([7.5], seed=0)
    assert summary == ReturnSummary(7.5, 7.5, None, 1, (7.5,))
    assert summary.std_return == 0.0
    assert json.loads(json.dumps(summary.as_json()))["ci95"] is None


@pytest.mark.parametrize(
    ("episodes", "told"),
    [
        (1, "one episode has no interval"),
        (2, "2 episodes are few"),
        (19, "19 episodes"),
    ],
)
def test_an_interval_of_few_episodes_comes_with_a_warning(
    episodes: int, told: str
) -> None:
    warning = summarise([1.0] * episodes, seed=0).warning
    assert warning is not None and told in warning and "20 or more" in warning


def test_an_interval_of_twenty_episodes_comes_without_a_warning() -> None:
    assert summarise([1.0] * 20, seed=0).warning is None


@pytest.mark.parametrize(("episodes", "covered"), [(2, 0.5), (5, 0.85)])
def test_an_interval_of_few_episodes_is_as_narrow_as_documented(
    episodes: int, covered: float
) -> None:
    rng = np.random.default_rng(episodes)
    drawn = [summarise(rng.normal(size=episodes), seed=0).ci95 for _ in range(300)]
    held = [low <= 0 <= high for low, high in filter(None, drawn)]
    assert np.mean(held) == pytest.approx(covered, abs=0.08)


def test_the_same_seed_gives_the_same_interval_and_another_seed_another() -> None:
    returns = np.random.default_rng(0).normal(size=25)
    assert summarise(returns, seed=3) == summarise(returns, seed=3)
    assert summarise(returns, seed=3).ci95 != summarise(returns, seed=4).ci95


def test_long_evaluations_are_resampled_in_pieces() -> None:
    returns = np.random.default_rng(0).normal(size=6_000)
    low, high = summarise(returns, seed=0).ci95 or (0.0, 0.0)
    assert low < returns.mean() < high
    assert high - low == pytest.approx(2 * 1.96 / math.sqrt(6_000), rel=0.05)


def test_a_summary_holds_every_return_and_their_deviation() -> None:
    entries = summarise([1.0, 2.0, 6.0], seed=0).as_json()
    assert entries["returns"] == [1.0, 2.0, 6.0]
    # (4 + 1 + 9) / 3, as NumPy and Stable-Baselines3 divide.
    assert entries["std_return"] == pytest.approx(math.sqrt(14 / 3))
    assert {"mean_return", "iqm", "ci95", "episodes"} <= entries.keys()
    json.dumps(entries, allow_nan=False)


@pytest.mark.parametrize("returns", [[], [1.0, math.nan], [math.inf]])
def test_no_returns_or_infinite_ones_are_refused(returns: list[float]) -> None:
    with pytest.raises(ValueError, match="returns must be"):
        summarise(returns, seed=0)
