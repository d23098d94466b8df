"""Tuning by the return, where the scale that earns most is known."""

from dataclasses import replace
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from rltransfer.alignment import Source, SourceModelData, learn_source_model
from rltransfer.alignment.align_config import SelectionConfig
from rltransfer.alignment.candidates import Candidate
from rltransfer.alignment.families import FAMILIES
from rltransfer.alignment.problem import AlignmentProblem
from rltransfer.alignment.step_plan import StepPlan
from rltransfer.alignment.trials import Trials
from rltransfer.alignment.tuning import tune
from rltransfer.alignment.watcher import Silent
from rltransfer.domain import Domain, StickyRandomPolicy
from rltransfer.mapping import Affine, DomainMapping
from rltransfer.wrappers import StepBudget
from tests.worlds.points import Chooser

from .conftest import HASTY

IDENTITY = next(family for family in FAMILIES if family.name == "identity")
LIMIT = 10
STRICT = replace(HASTY, selection=SelectionConfig(near_home=0.995, tie=0.0))
"""A dial that is half right earns most of what there is to earn."""


class Dial(gym.Env[NDArray[np.float32], Any]):
    """Shows noise; an action costs its squared distance to the one that is right."""

    observation_space = gym.spaces.Box(-np.inf, np.inf, (2,), np.float32)
    action_space = gym.spaces.Box(-4.0, 4.0, (1,), np.float32)

    def __init__(self, right: float) -> None:
        self._right, self._steps = right, 0

    def reset(self, **kwargs: Any) -> tuple[NDArray[np.float32], dict[str, Any]]:
        super().reset(seed=kwargs.get("seed"))
        self._steps = 0
        return self._shown(), {}

    def step(
        self, action: Any
    ) -> tuple[NDArray[np.float32], float, bool, bool, dict[str, Any]]:
        self._steps += 1
        cost = (float(action[0]) - self._right) ** 2
        return self._shown(), -cost, False, self._steps >= LIMIT, {}

    def _shown(self) -> NDArray[np.float32]:
        return self.np_random.normal(size=2).astype(np.float32)


ONE = Chooser(lambda seen: np.ones((*seen.shape[:-1], 1), np.float32))
"""Always turns the dial to 1."""


@pytest.fixture(scope="module")
def dial() -> SourceModelData:
    source = Source(Domain(lambda: Dial(1.0), "dial"), ONE, "one")
    return learn_source_model(source, HASTY)


def tried(dial: SourceModelData, right: float, budget: int = 1500) -> Trials:
    """Returns the identity's trial in a target whose right action is another one."""
    target = Domain(lambda: Dial(right), "target", StepBudget(budget))
    policy = StickyRandomPolicy(target.actions, np.random.default_rng(0))
    explored = target.collect(policy, purpose="exploration", seed=0, steps=100)
    plan = StepPlan(budget, STRICT.steps, STRICT.confidence, LIMIT).after(explored)
    problem = AlignmentProblem.of(dial, target, explored.transitions, STRICT)
    trials = Trials([problem], plan, explored, Silent())
    unchanged = Affine.of(torch.eye(2), torch.zeros(2))
    mapping = DomainMapping(unchanged)
    trials.add(0, Candidate(IDENTITY, mapping, problem.error_of(mapping)))
    return trials


@pytest.mark.parametrize("right", [2.0, 0.5])
def test_how_strongly_a_motor_is_driven_is_found(
    dial: SourceModelData, right: float
) -> None:
    trials = tried(dial, right)
    before = trials.ranking[0].score
    assert before == pytest.approx(-LIMIT * (right - 1) ** 2, rel=1e-3)
    tune(trials, Silent())
    assert trials.ranking[0].candidate.family.name == "tuned"
    assert {trial.round for trial in trials.acted} == {0, 1}
    assert trials.ranking[0].score > 0.2 * before
    action, _ = trials.ranking[0].policy.predict(np.zeros(2, np.float32))
    assert action[0] == pytest.approx(right, abs=0.3)
    # The acceptance test keeps its steps.
    used = trials.problem.target.budget.used
    assert trials.plan.spare(used, trials.best) >= 0
    # Whoever learns on sees what was shown while tuning as well.
    assert len(trials.seen) < len(trials.experience) == used


def test_what_earns_as_much_as_at_home_is_not_tuned(dial: SourceModelData) -> None:
    trials = tried(dial, 1.0)
    tune(trials, Silent())
    assert len(trials.acted) == 1


def test_nothing_is_tuned_with_steps_that_the_acceptance_test_needs(
    dial: SourceModelData,
) -> None:
    trials = tried(dial, 2.0, budget=190)
    used = trials.problem.target.budget.used
    tune(trials, Silent())
    assert trials.problem.target.budget.used == used


def test_a_trial_that_made_tuning_needless_is_no_evidence(
    dial: SourceModelData,
) -> None:
    enough, untunable = tried(dial, 1.0), tried(dial, 1.0, budget=190)
    for trials in (enough, untunable):
        tune(trials, Silent())
    # Had it earned less, its return would not have counted.
    assert enough.returns_stopped and not untunable.returns_stopped


def test_where_episodes_end_early_nothing_is_tuned(dial: SourceModelData) -> None:
    trials = tried(dial, 2.0)
    trials.plan = replace(trials.plan, none_ended=False)
    used = trials.problem.target.budget.used
    tune(trials, Silent())
    assert trials.problem.target.budget.used == used


def test_the_same_seed_tunes_alike(dial: SourceModelData) -> None:
    both = [tried(dial, 2.0) for _ in range(2)]
    for trials in both:
        tune(trials, Silent())
    scores = [[trial.score for trial in trials.acted] for trials in both]
    assert scores[0] == scores[1]
    other = tried(dial, 2.0)
    other.problems[0] = replace(other.problem, config=replace(STRICT, seed=7))
    tune(other, Silent())
    assert [trial.score for trial in other.acted] != scores[0]


def test_where_no_limit_is_told_the_length_of_random_episodes_is_it(
    dial: SourceModelData,
) -> None:
    trials = tried(dial, 1.0)
    assert trials.problem.target.episode_limit is None
    trial = trials.ranking[0]
    # Half an episode that costs nothing is as good as at home, and known to be half.
    half = replace(trial.rollout, returns=np.zeros(0), unfinished_steps=LIMIT // 2)
    trials.ranking = [replace(trial, rollout=half)]
    assert trials.earns_enough is True
    assert trials.best is not None and trials.best.episode_steps == LIMIT
