"""Rows about learning, from curves that are worked by hand."""

import math
from typing import Any

import numpy as np
import pytest

from rltransfer.evaluation import Censored
from rltransfer.report.benchmark_picture import height_at
from rltransfer.report.learning_tables import (
    LearningFigures,
    aggregated,
    curve_of,
    figures_of,
)
from rltransfer_envs.pairs import Agent, Learning

# Normalised: -500 is 0 and -100 is 1; the threshold of -200 is 0.75.
LEARNING = Learning(
    Agent("Acrobot-v1", "dqn", 200),
    None,
    200,
    100,
    -200.0,
    -500.0,
    -100.0,
    1.0,
    "made up",
)
BUDGET = 400


def record(returns: dict[int, float], **more: Any) -> dict[str, Any]:
    points = [
        {"target_steps": at, "mean_return": earned, "arm": "any"}
        for at, earned in returns.items()
    ]
    return {"seconds": 3.0, "curve": points, **more}


SCRATCH = record({0: -500.0, 100: -500.0, 200: -200.0, 300: -100.0, 400: -100.0})
QUICK = record({100: -200.0, 200: -100.0, 400: -100.0})
NEVER = record({100: -500.0, 400: -300.0})


def figures(runs: dict[int, dict[str, Any]], strategy: str = "hold") -> LearningFigures:
    scratch = {1: SCRATCH, 2: SCRATCH}
    return figures_of("world", strategy, LEARNING, BUDGET, runs, scratch)


def test_the_row_of_a_quick_learner() -> None:
    found = figures({1: QUICK, 2: QUICK})
    # At random for 100 steps, then 100 at 0.875 on average, then 200 at 1.
    assert found.areas.tolist() == pytest.approx([287.5 / 400] * 2)
    # Scratch: 0, then 37.5, 87.5 and 100 by trapezoids.
    assert found.paired_areas[1].tolist() == pytest.approx([225 / 400] * 2)
    assert found.time_ratios == [Censored(0.5, 0.5)] * 2
    row = found.row()
    assert row["jumpstart"] == "0.75"
    assert row["threshold"] == "100"
    assert row["of scratch's"] == "0.50"
    assert row["area / scratch's"] == "1.28"
    assert row["harm"] == "0/2"
    assert row["asymptote"] == "1.00"
    assert row["reached by"] == "any 2"


def test_a_run_that_never_reached_the_threshold_is_no_number() -> None:
    found = figures({1: NEVER, 2: NEVER})
    assert found.steps_to() == [Censored(400.0, math.inf)] * 2
    row = found.row()
    assert (row["threshold"], row["reached by"]) == ("≥ 400", "")
    assert row["of scratch's"] == "≥ 2.00"
    # Half of the way to the threshold is 0.375, and two points must be there.
    assert row["steps to 50 %"] == "≥ 400"
    assert row["harm"] == "2/2"


def test_the_lowest_point_is_of_the_first_tenth_after_alignment() -> None:
    dip = record({100: -200.0, 120: -300.0, 141: -500.0, 400: -100.0})
    row = figures({1: dip}).row()
    assert (row["lowest"], row["of jumpstart"]) == ("0.50", "0.67")
    assert figures({1: NEVER}).row()["of jumpstart"] == ""


def test_the_gain_is_of_what_came_out_above_the_zero_shot_policy() -> None:
    ends = {"improved": {"mean_return": -100.0}, "zero_shot": {"mean_return": -200.0}}
    worse = {**ends, "improved": {"mean_return": -220.0}}
    found = figures({1: {**QUICK, **ends}, 2: {**QUICK, **worse}})
    assert found.gains.tolist() == [0.25, -0.05]
    assert found.row()["above zero-shot"] == "+0.10, least -0.05"
    assert figures({1: QUICK}).row()["above zero-shot"] == ""


def test_over_all_pairs() -> None:
    runs = {1: SCRATCH, 2: SCRATCH}
    everything = [figures(runs, "scratch"), figures({1: QUICK, 2: NEVER})]
    scratch, hold = aggregated(everything)
    assert scratch["area, IQM"].startswith("0.56 (0.56 to 0.56)")
    assert (scratch["better than scratch"], scratch["harm"]) == ("", "")
    assert hold["better than scratch"].startswith("0.50 (0.00 to 1.00)")
    assert hold["harm"].startswith("0.50")
    # One of two runs took scratch's 200 steps half, the other twice or more.
    assert hold["steps / scratch's, IQM"] == "≥ 1.25"


def test_without_scratch_nothing_is_compared() -> None:
    alone = figures_of("world", "hold", LEARNING, BUDGET, {1: QUICK}, None)
    row = alone.row()
    assert (row["of scratch's"], row["harm"], row["area / scratch's"]) == ("", "", "")
    assert aggregated([alone])[0]["better than scratch"] == ""


def test_of_two_points_at_one_step_the_later_counts() -> None:
    doubled = record({0: 1.0, 100: 2.0})["curve"]
    doubled.append({"target_steps": 100, "mean_return": 3.0, "arm": "other"})
    assert curve_of(doubled).returns.tolist() == [1.0, 3.0]


def test_a_curve_is_drawn_at_zero_before_it_begins() -> None:
    curve = curve_of(QUICK["curve"]).normalised(-500.0, -100.0)
    heights = height_at(curve, np.array([0.0, 99.0, 100.0, 150.0, 400.0]))
    assert heights.tolist() == [0.0, 0.0, 0.75, 0.875, 1.0]
