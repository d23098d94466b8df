"""Views from the other side, two-valued variables, and the source that retraces."""

from dataclasses import replace
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from rltransfer.alignment import Source, SourceModelData, learn_source_model
from rltransfer.alignment.families.retraced_family import retraced
from rltransfer.alignment.opposite_views import (
    likeliest_of_opposites,
    opposite_weights,
)
from rltransfer.alignment.problem import AlignmentProblem
from rltransfer.alignment.response_config import HistoryConfig, RetracingConfig
from rltransfer.alignment.responses import Array, Episode
from rltransfer.alignment.sensor_views import View, climbed_view
from rltransfer.alignment.simulation import Simulated
from rltransfer.alignment.two_valued import has_two_values, second_values
from rltransfer.domain import Domain, StickyRandomPolicy
from rltransfer.errors import InputError

from .conftest import QUICK

CONFIG = HistoryConfig()


def drifting(shown: Array, copies: int = 24) -> Simulated:
    """Returns pushed points that drift as their resets drew, with copies of each.

    The first variable drifts and is hardly pushed, the second one is pushed alone: how
    the first is shown is told by its drift, but for the sign.
    """
    rng = np.random.default_rng(0)
    steps = np.arange(12.0)
    episodes, others = [], []
    for _ in range(10):
        pushes = rng.normal(size=(12, 2)).cumsum(axis=0) * np.array([0.2, 1.0])

        def walk(pushes: Array = pushes) -> Array:
            return pushes + rng.normal() * np.outer(steps, [1.0, 0.0])

        episodes.append(Episode(walk() @ shown + 3.0, np.zeros((11, 1))))
        others.append(tuple(walk() for _ in range(copies)))
    return Simulated(tuple(episodes), tuple(others))


SHOWN = np.array([[1.0, 0.5], [-0.5, 2.0]])


def test_a_drift_taken_for_its_opposite_is_turned_round() -> None:
    walks = drifting(SHOWN)
    wrong = np.vstack([SHOWN * [[-1.0], [1.0]], [3.0, 3.0]])
    stuck = climbed_view(walks, wrong, CONFIG)
    assert stuck.unexplained > 1e-5
    found = likeliest_of_opposites(walks, stuck, 1, CONFIG)
    assert found.unexplained < stuck.unexplained / 10
    np.testing.assert_allclose(found.weight[:-1], SHOWN, atol=0.02)


def test_the_best_view_has_no_better_opposite() -> None:
    walks = drifting(SHOWN)
    right = climbed_view(walks, np.vstack([SHOWN, [3.0, 3.0]]), CONFIG)
    assert likeliest_of_opposites(walks, right, 1, CONFIG) is right


def test_an_odd_episode_does_not_lead_away_from_a_view_that_is_right() -> None:
    walks = drifting(SHOWN)
    odd = replace(walks.episodes[0], states=-3.0 * walks.episodes[0].states)
    walks = replace(walks, episodes=(odd, *walks.episodes[1:]))
    right = np.vstack([SHOWN, [3.0, 3.0]])
    found = climbed_view(walks, right, CONFIG, 1e-6)
    np.testing.assert_allclose(found.weight, right, atol=0.02)
    assert found.unexplained < 1e-6


def test_an_opposite_shows_the_offset_of_its_episode_reversed() -> None:
    # Two episodes at the origin's copies 0 ± 1, shown as twice what they are: those
    # that began at 1 and -1 are seen at 2 and -2, from the other side as -2 and 2.
    copies = tuple(np.full((2, 1), value) for value in (-1.0, 1.0))
    episodes = tuple(
        Episode(np.full((2, 1), shown), np.zeros((1, 1))) for shown in (2.0, -2.0)
    )
    walks = Simulated(episodes, (copies, copies))
    view = View(np.array([[2.0], [0.0]]), np.zeros((1, 1)), 1e-9)
    (weight,) = opposite_weights(walks, view, 1, CONFIG)
    np.testing.assert_allclose(weight, [[-2.0], [0.0]], atol=1e-5)


def test_all_signs_of_two_directions_but_one_are_tried() -> None:
    walks = drifting(SHOWN)
    view = climbed_view(walks, np.vstack([SHOWN, [3.0, 3.0]]), CONFIG)
    assert len(list(opposite_weights(walks, view, 2, CONFIG))) == 3
    assert list(opposite_weights(walks, view, 0, CONFIG)) == []


def test_two_values_are_told_from_many_and_from_one() -> None:
    states = np.array(
        [[0.0, 5.0, 0.1, 1.0], [1.0, 5.0, 0.2, -1.0]] * 2 + [[0, 5, 0, 1]]
    )
    assert has_two_values(states).tolist() == [True, False, False, True]


def test_second_values_are_told_from_what_is_left_open() -> None:
    # One shows as (3, 0), the other as (1, 2); both as their sum.
    left_open = np.array([[0.0, 0.0], [3.0, 0.0], [1.0, 2.0], [4.0, 2.0], [3.0, 0.0]])
    expected = np.array([[0.1, 0.0], [0.6, 0.4], [0.2, 0.5], [0.7, 0.9], [0.8, 0.1]])
    found = second_values(left_open, expected, 10)
    np.testing.assert_array_equal(found.there, [[0, 0], [1, 0], [0, 1], [1, 1], [1, 0]])
    np.testing.assert_allclose(found.weight, [[3.0, 0.0], [1.0, 2.0]], atol=1e-12)
    assert found.explained == pytest.approx(1.0)


def test_what_two_values_do_not_explain_is_said() -> None:
    rng = np.random.default_rng(0)
    expected = (rng.random((200, 1)) < 0.1).astype(float)
    found = second_values(rng.normal(size=(200, 3)), expected, 10)
    assert found.explained < RetracingConfig().told


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"kept_wirings": 0}, "retracing.kept_wirings must be at least 1, got 0"),
        ({"directions": 9}, "retracing.directions is from 0 to 4"),
    ],
)
def test_settings_that_make_no_sense_are_refused(
    settings: dict[str, int], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        replace(RetracingConfig(), **settings)


class Sinking(gym.Env[NDArray[np.float32], Any]):
    """A ball in water that is pushed up or not, and whose ground is felt.

    Args:
        sensors: what shows its height, its speed and whether it touches the ground.
        swapped: whether the actions are.
    """

    action_space = gym.spaces.Discrete(2)

    def __init__(self, sensors: Array | None = None, swapped: bool = False) -> None:
        self._sensors = np.eye(3) if sensors is None else sensors
        self._swapped, size = swapped, self._sensors.shape[1]
        self.observation_space = gym.spaces.Box(-np.inf, np.inf, (size,), np.float32)
        self._height, self._speed, self._steps = 0.0, 0.0, 0

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        self._height, self._steps = 4.0 + self.np_random.uniform(-0.5, 0.5), 0
        self._speed = self.np_random.uniform(-0.5, 0.5)
        return self._shown(), {}

    def step(self, action: Any) -> Any:
        push = 1 - int(action) if self._swapped else int(action)
        self._speed = 0.9 * self._speed + 0.3 * push - 0.2
        self._height += 0.2 * self._speed
        self._steps += 1
        if self._height < 0:
            self._height, self._speed = 0.0, 0.0
        return self._shown(), self._height, False, self._steps >= 40, {}

    def _shown(self) -> NDArray[np.float32]:
        state = np.array([self._height, self._speed, float(self._height <= 0)])
        return (state @ self._sensors).astype(np.float32)


TURNED = np.array([[2.0, 0.0, 0.0], [0.0, 0.6, 0.8], [0.0, -2.4, 1.8]])
"""Turned sensors of other units."""


def sunk(sensors: Array, poor_model: float) -> AlignmentProblem:
    """Returns the problem of a sinking ball with these sensors and swapped actions."""
    torch.set_num_threads(1)
    config = replace(
        QUICK,
        # Few steps, so that hardly a ball has sunk to the ground by then.
        history=HistoryConfig(beginning=12, copied_steps=6000),
        retracing=RetracingConfig(poor_model=poor_model, refining_steps=12_000),
    )
    domain = Domain(Sinking, "sinking")
    still = StickyRandomPolicy(domain.actions, np.random.default_rng(0))
    own: SourceModelData = learn_source_model(Source(domain, still, "any"), config)
    target = Domain(lambda: Sinking(sensors, swapped=True), "target")
    policy = StickyRandomPolicy(target.actions, np.random.default_rng(1))
    rows = target.collect(policy, purpose="exploration", seed=1, steps=800).transitions
    return AlignmentProblem.of(own, target, rows, config)


def test_a_target_is_retraced_and_its_contacts_are_told() -> None:
    problem = sunk(TURNED, 0.0)
    (found,) = retraced(problem, (), lambda progress: None)
    assert found.retraced
    shown = problem.whitening.unwhiten(problem.rows.observation)
    with torch.no_grad():
        mapped = found.mapping.state(problem.rows.observation)
        told = problem.model_data.model.whitening.unwhiten(mapped)
    states = shown @ torch.from_numpy(np.linalg.inv(TURNED)).float()
    assert 0 < int(states[:, 2].round().sum()) < len(states)
    torch.testing.assert_close(told, states, atol=0.05, rtol=0)
    assert found.mapping.action is not None
    first = found.mapping.action(torch.tensor([[1.0, 0.0]]))
    torch.testing.assert_close(first, torch.tensor([[0.0, 1.0]]))


def test_where_the_model_is_good_nothing_is_retraced() -> None:
    problem = sunk(TURNED, 1e9)
    assert retraced(problem, (), lambda progress: None) == []


def test_what_the_target_does_not_show_cannot_be_told() -> None:
    problem = sunk(TURNED[:, :1], 0.0)
    assert retraced(problem, (), lambda progress: None) == []
