"""Motors left over, where the wave that they are to carry on is known."""

from dataclasses import replace
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from numpy.typing import NDArray

from rltransfer.alignment import Source, SourceModelData, learn_source_model
from rltransfer.alignment.align_config import LeftoverConfig, SelectionConfig
from rltransfer.alignment.candidates import Candidate
from rltransfer.alignment.families import FAMILIES
from rltransfer.alignment.leftover_motors import carried_on, drive_leftover_motors
from rltransfer.alignment.problem import AlignmentProblem
from rltransfer.alignment.sensor_noise import NoiseConfig
from rltransfer.alignment.step_plan import StepPlan
from rltransfer.alignment.trials import Trials
from rltransfer.alignment.watcher import Silent
from rltransfer.domain import Domain, StickyRandomPolicy
from rltransfer.errors import InputError
from rltransfer.mapping import Affine, DomainMapping
from rltransfer.wrappers import StepBudget
from tests.worlds.points import Chooser

from .conftest import HASTY

RESPONSES = next(family for family in FAMILIES if family.name == "responses")
LAG, TURN, NODES, LIMIT = 0.5, 0.3, 5, 40
CONFIG = replace(
    HASTY,
    selection=SelectionConfig(near_home=0.99, tie=0.0),
    noise=NoiseConfig(least=1.0),  # the string trembles, its sensors do not
)

TRAVELS = np.zeros((2, 4, 6))
"""A push at a place is one place further on after a step."""
TRAVELS[0, range(4), range(4)] = TRAVELS[1, range(4), range(1, 5)] = 1.0
ANGLES = np.linspace(0.0, 20 * np.pi, 2000, endpoint=False)
WAVES = np.stack([np.sin(ANGLES), np.sin(ANGLES - LAG)], axis=1)


def test_a_wave_is_carried_on_from_motor_to_motor() -> None:
    drives = carried_on(np.eye(2, 4), TRAVELS, WAVES, 1.0)
    shown = WAVES @ drives
    for place in (2, 3):
        expected = np.sin(ANGLES - place * LAG)
        own = shown[:, place] / np.linalg.norm(shown[:, place])
        np.testing.assert_allclose(own, expected / np.linalg.norm(expected), atol=0.01)
    np.testing.assert_allclose(np.linalg.norm(drives, axis=0), 1.0)
    # 2 cos(lag) of the nearer, less the one before it.
    np.testing.assert_allclose(
        drives[:, 2] / drives[1, 2], [-0.5 / np.cos(LAG), 1.0], atol=0.01
    )


def test_it_is_carried_on_at_the_other_end() -> None:
    drives = carried_on(np.eye(2, 3, 1), TRAVELS[:, :3], WAVES, 0.7)
    first = WAVES @ drives[:, 0]
    expected = np.sin(ANGLES + LAG)
    assert np.corrcoef(first, expected)[0, 1] == pytest.approx(1.0, abs=1e-3)
    assert np.linalg.norm(drives[:, 0]) == pytest.approx(0.7)


def test_a_motor_that_answers_the_other_way_round_is_driven_so() -> None:
    turned = TRAVELS[:, :3] * np.array([1.0, 1.0, -1.0])[:, None]
    plain = carried_on(np.eye(2, 3), TRAVELS[:, :3], WAVES, 1.0)
    drives = carried_on(np.eye(2, 3), turned, WAVES, 1.0)
    np.testing.assert_allclose(drives[:, 2], -plain[:, 2])


class String(gym.Env[NDArray[np.float32], Any]):
    """Pushes travel along a string; each motor is paid for going with a wave."""

    observation_space = gym.spaces.Box(-np.inf, np.inf, (NODES + 2,), np.float32)

    def __init__(self, motors: int) -> None:
        self.action_space = gym.spaces.Box(-1.0, 1.0, (motors,), np.float32)
        self._motors, self._steps, self._angle = motors, 0, 0.0
        self._nodes = np.zeros(NODES)

    def reset(self, **kwargs: Any) -> tuple[NDArray[np.float32], dict[str, Any]]:
        super().reset(seed=kwargs.get("seed"))
        self._steps, self._angle = 0, float(self.np_random.uniform(0, 2 * np.pi))
        self._nodes = self.np_random.normal(size=NODES)
        return self._shown(), {}

    def step(
        self, action: Any
    ) -> tuple[NDArray[np.float32], float, bool, bool, dict[str, Any]]:
        wave = np.sin(self._angle - LAG * np.arange(self._motors))
        reward = float(np.mean(wave * action))
        self._nodes = 0.8 * np.concatenate([[0.0], self._nodes[:-1]])
        self._nodes[: self._motors] += action
        self._nodes += 0.3 * self.np_random.normal(size=NODES)
        self._angle, self._steps = self._angle + TURN, self._steps + 1
        return self._shown(), reward, False, self._steps >= LIMIT, {}

    def _shown(self) -> NDArray[np.float32]:
        clock = np.cos(self._angle), np.sin(self._angle)
        return np.array([*self._nodes, *clock], np.float32)


def _wave(seen: NDArray[np.float32]) -> NDArray[np.float32]:
    """Returns sin(angle) and sin(angle - LAG)."""
    cos, sin = seen[..., NODES], seen[..., NODES + 1]
    return np.stack([sin, sin * np.cos(LAG) - cos * np.sin(LAG)], axis=-1)


@pytest.fixture(scope="module")
def string() -> SourceModelData:
    source = Source(Domain(lambda: String(2), "string"), Chooser(_wave), "wave")
    return learn_source_model(source, HASTY)


def tried(string: SourceModelData, motors: int, budget: int = 4000) -> Trials:
    """Returns the trial of a map that is right, but for motors that it leaves over."""
    target = Domain(lambda: String(motors), "target", StepBudget(budget))
    policy = StickyRandomPolicy(target.actions, np.random.default_rng(0))
    explored = target.collect(policy, purpose="exploration", seed=0, steps=1500)
    plan = StepPlan(budget, CONFIG.steps, CONFIG.confidence, LIMIT).after(explored)
    problem = AlignmentProblem.of(string, target, explored.transitions, CONFIG)
    trials = Trials([problem], plan, explored, Silent())
    ours, theirs = string.model.whitening, problem.whitening
    state = Affine.of(theirs.inverse @ ours.matrix, ours.whiten(theirs.mean))
    wiring = problem.wired(np.eye(2, motors))
    mapping = DomainMapping(state, wiring)
    trials.add(0, Candidate(RESPONSES, mapping, problem.error_of(mapping)))
    return trials


def test_motors_left_over_are_driven_by_what_earns_most(
    string: SourceModelData,
) -> None:
    trials = tried(string, 3)
    before = trials.ranking[0]
    assert drive_leftover_motors(trials, Silent())
    best = trials.ranking[0]
    assert best.candidate.family.name == "leftover motors"
    assert best.score > 1.15 * before.score
    angles = np.linspace(0.0, 2 * np.pi, 12, endpoint=False)
    for angle in angles:
        shown = np.array([0, 0, 0, 0, 0, np.cos(angle), np.sin(angle)], np.float32)
        action, _ = best.policy.predict(shown)
        # The wave's own lag, at about half of the other motors' strength.
        assert action[2] == pytest.approx(0.5 * np.sin(angle - 2 * LAG), abs=0.15)
    used = trials.problem.target.budget.used
    assert trials.plan.spare(used, trials.best) >= 0


def test_where_motors_are_equal_in_number_nothing_is_done(
    string: SourceModelData,
) -> None:
    trials = tried(string, 2)
    used = trials.problem.target.budget.used
    assert not drive_leftover_motors(trials, Silent())
    assert trials.problem.target.budget.used == used


def test_they_can_be_left_out(string: SourceModelData) -> None:
    trials = tried(string, 3)
    config = replace(CONFIG, without="leftover motors")
    trials.problems[0] = replace(trials.problem, config=config)
    assert not drive_leftover_motors(trials, Silent())
    assert len(trials.acted) == 1


def test_the_same_seed_drives_alike(string: SourceModelData) -> None:
    both = [tried(string, 4) for _ in range(2)]
    for trials in both:
        drive_leftover_motors(trials, Silent())
    scores = [[trial.score for trial in trials.acted] for trials in both]
    assert scores[0] == scores[1] and len(scores[0]) > 2


@pytest.mark.parametrize("wrong", [{"choices": 0}, {"strengths": ()}])
def test_nothing_to_try_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="leftover"):
        LeftoverConfig(**wrong)
