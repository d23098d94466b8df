"""The metrics of transfer, checked on curves that fit on the back of an envelope."""

import math

import numpy as np
import pytest

from rltransfer.evaluation import LearningCurve, transfer_metrics


def curve(steps: list[int], returns: list[float]) -> LearningCurve:
    return LearningCurve(np.array(steps), np.array(returns))


SCRATCH = curve([0, 100, 200, 300, 400], [0.0, 0.0, 50.0, 100.0, 100.0])
TRANSFERRED = curve([0, 100, 200, 300, 400], [60.0, 100.0, 110.0, 110.0, 110.0])


def test_the_metrics_of_two_small_curves() -> None:
    metrics = transfer_metrics(TRANSFERRED, SCRATCH, threshold=100.0)
    assert metrics.jumpstart == 60.0
    assert metrics.asymptotic_gain == 10.0
    assert metrics.steps_to_threshold == 100
    assert metrics.scratch_steps_to_threshold == 300
    assert metrics.time_ratio == pytest.approx(1 / 3)
    # Trapezoids: scratch 0 + 2500 + 7500 + 10000, transferred
    # 8000 + 10500 + 11000 + 11000.
    assert metrics.transfer_ratio == pytest.approx((40_500 - 20_000) / 20_000)


def test_steps_spent_before_learning_earn_nothing() -> None:
    late = curve([200, 400], [100.0, 100.0])
    assert late.area(until=400) == 20_000
    # Until 300 the late curve earned 100 · 100 and scratch 2500 + 7500: no gain.
    assert transfer_metrics(
        curve([200, 300], [100.0, 100.0]), SCRATCH, threshold=100.0
    ).transfer_ratio == pytest.approx(0.0)


def test_a_curve_is_straight_between_points_and_cut_at_the_shorter_one() -> None:
    assert curve([0, 100], [0.0, 100.0]).area(until=50) == pytest.approx(1250)
    short = curve([0, 200], [100.0, 100.0])
    ratio = transfer_metrics(short, SCRATCH, threshold=1.0).transfer_ratio
    assert ratio == pytest.approx((20_000 - 2_500) / 2_500)


def test_negative_returns_are_measured_from_a_floor() -> None:
    scratch = curve([0, 100], [-500.0, -100.0])
    transferred = curve([0, 100], [-100.0, -100.0])
    metrics = transfer_metrics(transferred, scratch, threshold=-100.0, floor=-500.0)
    assert metrics.transfer_ratio == pytest.approx(1.0)


def test_a_scratch_run_that_never_rose_has_no_ratio() -> None:
    flat = curve([0, 100], [-500.0, -500.0])
    assert math.isnan(transfer_metrics(flat, flat, -100.0, floor=-500.0).transfer_ratio)


def test_one_lucky_evaluation_is_not_the_threshold() -> None:
    lucky = curve([0, 1, 2, 3, 4], [0.0, 100.0, 20.0, 100.0, 100.0])
    assert lucky.steps_to(100.0) == 3
    assert lucky.steps_to(100.0, running=1) == 1
    assert lucky.steps_to(100.0, running=3) is None


def test_the_asymptote_is_the_mean_of_the_last_tenth() -> None:
    returns = [0.0] * 18 + [10.0, 20.0]
    assert curve(list(range(20)), returns).asymptote == 15.0


def test_no_time_ratio_without_both_thresholds() -> None:
    metrics = transfer_metrics(TRANSFERRED, SCRATCH, threshold=105.0)
    assert metrics.scratch_steps_to_threshold is None
    assert metrics.time_ratio is None


@pytest.mark.parametrize(
    ("steps", "returns", "reason"),
    [
        ([0], [1.0], "two points"),
        ([0, 0], [1.0, 2.0], "must rise"),
        ([-1, 0], [1.0, 2.0], "must rise"),
        ([0, 1], [1.0, math.nan], "finite"),
    ],
)
def test_a_curve_that_is_none_is_refused(
    steps: list[int], returns: list[float], reason: str
) -> None:
    with pytest.raises(ValueError, match=reason):
        curve(steps, returns)


def test_a_normalised_curve_runs_from_random_to_the_best() -> None:
    found = curve([0, 100], [-500.0, -100.0]).normalised(random=-500.0, best=-300.0)
    assert found.returns.tolist() == [0.0, 2.0]
    assert found.steps.tolist() == [0, 100]
    with pytest.raises(ValueError, match="above that of random"):
        SCRATCH.normalised(random=1.0, best=1.0)


def test_steps_before_learning_count_as_acting_at_random() -> None:
    # 100 steps at random, then 300 at the best: three quarters of the area.
    late = curve([100, 400], [-10.0, -10.0]).normalised(random=-50.0, best=-10.0)
    assert late.area(until=400) / 400 == pytest.approx(0.75)


def test_the_lowest_point_is_of_the_beginning() -> None:
    found = curve([50, 60, 70, 80], [5.0, 3.0, 4.0, 1.0])
    assert found.lowest(until=70) == 3.0
    assert found.lowest(until=10) == 5.0
