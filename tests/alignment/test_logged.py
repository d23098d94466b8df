"""Alignment with logged rows: beside its own steps, or with no step at all."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from rltransfer.alignment import (
    Alignment,
    Source,
    SourceModelData,
    align,
    learn_source_model,
)
from rltransfer.domain import Domain, LoggedRows, Transitions
from rltransfer.errors import InputError
from rltransfer.report.linear_maps import MapMatrices
from rltransfer.wrappers import StepBudget
from tests.worlds.logs import columns_of
from tests.worlds.points import Home, Point

from .conftest import HASTY, MIRRORED, QUICK, Align


class Untouchable(Point):
    """A robot that nobody may move."""

    def reset(self, **_: Any) -> Any:
        raise AssertionError("it was reset")

    def step(self, action: Any) -> Any:
        raise AssertionError("it was moved")


def rows_of(steps: int, act: Callable[[Any], Any] | None = None) -> Transitions:
    columns = columns_of(Point(MIRRORED), steps, act)
    log = LoggedRows.of(
        columns,
        Domain(Point, "point"),
        **{"origin": "a.npz", "sha256": "", "least": 100, "most": 10_000},
    )
    return log.transitions


def untouched() -> Domain:
    return Domain(lambda: Untouchable(MIRRORED), "target", StepBudget(0))


@pytest.fixture(scope="module")
def unproved(model_data: SourceModelData) -> Alignment:
    return align([model_data], untouched(), QUICK, logged=rows_of(600))


def test_a_mapping_is_found_without_moving_the_target(unproved: Alignment) -> None:
    assert unproved.target.budget.used == 0 and not unproved.target.budget.reported
    assert len(unproved.experience) == 0
    acting = Domain(lambda: Point(MIRRORED), "point")
    at_home = acting.evaluate(SeenThrough(), episodes=20, seed=7)
    earned = acting.evaluate(unproved.policy, episodes=20, seed=7)
    np.testing.assert_allclose(earned.mean(), at_home.mean(), atol=0.5)


class SeenThrough:
    """Pushes the point home, knowing how it is shown."""

    def predict(self, observation: Any, *_: Any, **__: Any) -> tuple[Any, Any]:
        return Home().predict(np.linalg.inv(np.array(MIRRORED)) @ observation)


def test_without_a_step_a_mapping_is_neither_accepted_nor_refused(
    unproved: Alignment,
) -> None:
    test = unproved.acceptance
    assert test.accepted is None and test.comparison is None
    assert test.verdict.startswith("unproved: ") and "may be worthless" in test.verdict
    assert unproved.trials[0] is unproved.chosen
    assert all(len(one.rollout.transitions) == 0 for one in unproved.trials)


def test_pictures_show_the_map_over_what_was_logged(unproved: Alignment) -> None:
    maps = MapMatrices.of(unproved)
    shown = maps.state_map("Point-v0", "Point-v0").values
    # Sensors exchange the two places, which pictures show in deviations.
    assert abs(shown[0, 1]) > 3 * abs(shown[0, 0])
    assert abs(shown[1, 0]) > 3 * abs(shown[1, 1])
    (first, second) = maps.meanings("Point-v0", "Point-v0")
    assert (first.source, second.source) == ("observation 1", "observation 0")
    assert 1 <= first.agreeing <= first.candidates


def test_logged_rows_join_those_that_are_acted(
    model_data: SourceModelData, aligned: Align
) -> None:
    target = Domain(lambda: Point(MIRRORED), "target", StepBudget(500))
    both = align([model_data], target, HASTY, logged=rows_of(300))
    alone = aligned(HASTY, 500, sensors=MIRRORED)
    assert both.target.budget.used <= 500
    # Exploring is the same, and what is learned on from is what was acted.
    assert len(both.experience) == both.target.budget.used
    explored = both.target.budget.taken["exploration"]
    assert explored == alone.target.budget.taken["exploration"]
    assert both.acceptance.accepted is not None
    # The coordinates of the problem rest on both.
    assert not both.whitening.mean.equal(alone.whitening.mean)


def test_of_several_sources_the_one_that_explains_the_log_best_is_kept(
    model_data: SourceModelData,
) -> None:
    class Home2(Point):
        """Goes the other way than it is pushed, and twice as far."""

        MOVES = -2 * Point.MOVES

    sources = [
        Source(Domain(Home2, "other"), Home(), "other"),
        Source(Domain(Point, "point"), Home(), "home", lambda *_: model_data),
    ]
    found = align(sources, untouched(), HASTY, logged=rows_of(300))
    assert found.acceptance.accepted is None
    assert [one.target_steps for one in found.sources] == [0, 0]
    kept, dropped = sorted(found.sources, key=lambda one: not one.kept)
    best, other = kept.candidate, dropped.candidate
    assert best is not None and best is found.chosen.candidate and other is not None
    assert (best.settles, -best.alignment_error) > (
        other.settles,
        -other.alignment_error,
    )
    assert (kept.trials, kept.trial_return) == (0, None)


def test_no_step_and_no_log_is_no_way_to_know_anything(
    model_data: SourceModelData,
) -> None:
    with pytest.raises(InputError, match="at least 400 target steps, got 0"):
        align([model_data], untouched(), HASTY)
    few = Domain(Point, "target", StepBudget(100))
    with pytest.raises(InputError, match=r"at least 400 target steps \(or 0\), got"):
        align([model_data], few, HASTY, logged=rows_of(300))


def test_a_source_model_learns_from_logs_beside_its_own_steps() -> None:
    config = replace(HASTY, source_steps=600)
    columns = columns_of(Point(), 150, lambda seen: Home().predict(seen)[0])
    domain = Domain(Point, "point")
    about: dict[str, Any] = {"origin": "", "sha256": "", "least": 100, "most": 1000}
    rows = LoggedRows.of(columns, domain, **about).transitions
    alone = learn_source_model(Source(domain, Home(), "home"), config)
    both = learn_source_model(Source(domain, Home(), "home", logged=rows), config)
    assert len(alone.rows) == 600 and len(both.rows) == 750
    assert len(both.at_random) == len(alone.at_random) == 200
    np.testing.assert_array_equal(both.home_returns, alone.home_returns)
    shown = both.model.whitening.unwhiten(both.rows.observation[600:])
    np.testing.assert_allclose(shown, rows.observation, atol=1e-4)
