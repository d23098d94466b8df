from dataclasses import replace
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch

from rltransfer.alignment import AlignConfig, SourceModelData, Trial
from rltransfer.alignment.accept import accept
from rltransfer.alignment.acceptance_test import AcceptanceTest, random_to_beat
from rltransfer.alignment.candidates import Candidate
from rltransfer.alignment.families import FAMILIES
from rltransfer.alignment.problem import AlignmentProblem
from rltransfer.alignment.source_model_data import exploring
from rltransfer.alignment.step_plan import StepPlan, StepPlanConfig
from rltransfer.alignment.trials import Trials
from rltransfer.alignment.watcher import Silent
from rltransfer.domain import Domain
from rltransfer.mapping import Affine, DomainMapping
from rltransfer.translation import MappedPolicy, Translation
from rltransfer.wrappers import StepBudget
from tests.worlds.points import Chooser


def test_clearly_better_is_accepted_in_plain_words() -> None:
    acceptance = AcceptanceTest(
        np.array([10.0, 9.0, 11.0, 12.0]), np.array([500.0] * 3), 0.95
    )
    assert acceptance.accepted
    assert acceptance.verdict.startswith(
        "accepted: better than random with 95 % confidence"
    )


def test_one_episode_too_few_says_what_is_missing() -> None:
    # 1 of 31 is 0.032: enough for 95 %, too much for 97.5 %.
    enough, more = (
        AcceptanceTest(np.arange(30.0), np.array([500.0]), confidence)
        for confidence in (0.95, 0.975)
    )
    assert enough.accepted and not more.accepted
    assert not more.decides
    assert more.verdict == (
        "refused, too few episodes to decide: 500.0 over 1 episode against 14.5 over "
        "30 at random (p = 0.032, exact rank test); 97.5 % confidence needs p = 0.025 "
        "or less: raise -n"
    )


def test_no_better_is_refused_with_the_way_out() -> None:
    acceptance = AcceptanceTest(
        np.array([10.0, 9.0, 11.0]), np.array([10.0, 9.5, 10.5]), 0.95
    )
    assert not acceptance.accepted
    assert "not better than random" in acceptance.verdict
    assert "train from scratch" in acceptance.verdict


def test_too_few_episodes_are_not_called_no_better() -> None:
    acceptance = AcceptanceTest(np.array([-30.0]), np.array([95.0, 96.0]), 0.95)
    assert not acceptance.accepted
    assert acceptance.verdict.startswith("refused, too few episodes to decide")


@pytest.mark.parametrize(
    ("random", "own"), [(np.zeros(0), np.ones(3)), (np.ones(3), np.zeros(0))]
)
def test_a_test_without_episodes_is_refused(
    random: np.ndarray, own: np.ndarray
) -> None:
    acceptance = AcceptanceTest(random, own, 0.95)
    assert not acceptance.accepted and "raise -n" in acceptance.verdict


def test_the_better_way_of_acting_at_random_has_to_be_beaten() -> None:
    held, single = np.array([10.0, 10.0, 9.0]), np.array([22.0, 25.0, 19.0])

    def beaten(first: np.ndarray, second: np.ndarray, episodes: int) -> list[float]:
        returns = random_to_beat(first, second, episodes, confidence=0.95, fewest=3)
        return returns.tolist()

    assert beaten(held, single, 5) == [22.0, 25.0, 19.0]
    assert beaten(single, held, 5) == [22.0, 25.0, 19.0]
    assert len(beaten(held, single[:2], 5)) == 5
    # Three random episodes against one of the mapping could decide nothing.
    assert len(beaten(held, single, 1)) == 6


class Ledge(gym.Env[Any, Any]):
    """Pays 1 for each step; one of the actions falls off, and that ends it."""

    observation_space = gym.spaces.Box(-np.inf, np.inf, (1,), np.float32)
    action_space = gym.spaces.Discrete(2)
    fee = 0.0
    """Of the third step."""

    def __init__(self, limit: int, entrance: float) -> None:
        self._limit, self._steps, self._entrance = limit, 0, entrance

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        self._steps = 0
        return np.zeros(1, np.float32), {}

    def step(self, action: Any) -> Any:
        self._steps += 1
        seen = np.array([self._steps], np.float32)
        paid = 1.0 - self._entrance * (self._steps == 1)
        paid -= self.fee * (self._steps == 3)
        return seen, paid, bool(action == 1), self._steps >= self._limit, {}


STAY = Chooser(lambda seen: np.int64(0))
LIMIT = 100


def trials_with_left(
    model_data: SourceModelData, left: int, entrance: float = 2.0
) -> Trials:
    """Returns two trials of staying; one episode fits after them, and `left` steps.

    A few short random episodes were seen, whose first step costs more than it pays.
    """
    budget = 30 + 2 * LIMIT + LIMIT + left
    target = Domain(lambda: Ledge(LIMIT, entrance), "Ledge", StepBudget(budget))
    config = AlignConfig(longest_hold=1)
    explored = target.collect(
        exploring(target, config, np.random.default_rng(1)),
        purpose="exploration",
        seed=0,
        steps=30,
    )
    problem = AlignmentProblem.of(model_data, target, explored.transitions, config)
    plan = StepPlan(budget, config.steps, config.confidence).after(explored)
    trials = Trials([problem], plan, explored, Silent())
    policy = MappedPolicy(STAY, Translation.identity(1), target.actions, target.actions)
    mapping = DomainMapping(Affine.of(torch.eye(1), torch.zeros(1)))
    for _ in range(2):
        rollout = target.collect(
            policy, purpose="selection", seed=0, steps=LIMIT, episodes=1
        )
        candidate = Candidate(FAMILIES[0], mapping, 0.1)
        used = target.budget.used
        trials.acted.append(Trial(0, candidate, policy, rollout, used))
    trials.ranking = list(trials.acted)
    return trials


def test_steps_that_are_left_let_few_episodes_decide(
    model_data: SourceModelData,
) -> None:
    trials = trials_with_left(model_data, left=90)
    _, acceptance = accept(trials)
    assert len(trials.random_returns) < 19
    # One episode of the candidate needs nineteen others, and no more were taken.
    assert len(acceptance.returns) == 1 and len(acceptance.random_returns) == 19
    assert acceptance.accepted
    budget = trials.problem.target.budget
    assert budget.limit is not None and budget.used < budget.limit


def test_where_too_few_are_left_one_more_episode_is_begun_and_the_budget_holds(
    model_data: SourceModelData,
) -> None:
    trials = trials_with_left(model_data, left=2)
    _, acceptance = accept(trials)
    assert acceptance.verdict.startswith("refused, too few episodes to decide")
    # It did not end, and is left out.
    assert len(acceptance.returns) == 1
    assert trials.problem.target.budget.used == trials.plan.budget


def test_a_test_that_is_left_for_later_takes_no_step(
    model_data: SourceModelData,
) -> None:
    trials = trials_with_left(model_data, left=90)
    trials.plan = replace(trials.plan, config=StepPlanConfig.before_learning(99))
    used = trials.problem.target.budget.used
    _, acceptance = accept(trials)
    assert trials.problem.target.budget.used == used
    # Of two trials the better one was chosen: neither tests it.
    assert len(acceptance.returns) == 0 and acceptance.open
    assert acceptance.random_returns.tolist() == trials.random_returns.tolist()
    del trials.acted[1:]
    _, alone = accept(trials)
    assert len(alone.returns) == 1 and trials.problem.target.budget.used == used


def test_more_episodes_are_added_to_a_test() -> None:
    test = AcceptanceTest(np.array([1.0, 2.0]), np.zeros(0), 0.95)
    more = test.followed_by([5.0] * 4, [3.0])
    assert more.returns.tolist() == [5.0] * 4
    assert more.random_returns.tolist() == [1.0, 2.0, 3.0]
    assert more.accepted and not test.accepted and len(test.returns) == 0


@pytest.mark.parametrize(("stopped", "more"), [(False, 1), (True, 0)])
def test_a_trial_whose_return_ended_the_search_is_no_evidence(
    model_data: SourceModelData, stopped: bool, more: int
) -> None:
    trials = trials_with_left(model_data, left=90)
    del trials.acted[1:]
    trials.returns_stopped = stopped
    _, acceptance = accept(trials)
    assert len(acceptance.returns) == 1 + more


@pytest.mark.parametrize("left", [2, -60])
def test_without_negative_rewards_episodes_stop_once_they_outrank_random_ones(
    model_data: SourceModelData, left: int
) -> None:
    trials = trials_with_left(model_data, left, entrance=0.0)
    _, acceptance = accept(trials)
    highest = acceptance.stopped_above
    assert highest is not None and highest >= trials.random_returns.max()
    np.testing.assert_array_equal(acceptance.returns, highest + 1)
    assert len(acceptance.returns) >= 2 and acceptance.accepted
    assert f"at least {highest + 1:.1f} over" in acceptance.verdict
    assert "no reward was negative" in acceptance.verdict


def test_the_only_episode_counts_as_it_is_where_the_budget_cuts_it_short(
    model_data: SourceModelData,
) -> None:
    trials = trials_with_left(model_data, left=-40, entrance=0.0)
    random_returns = np.arange(1.0, 20.0)
    trials.random_returns = random_returns
    trials.plan = replace(trials.plan, random_episodes=19, random_steps=190)
    # Episodes are longer than trials let think: one does not end in time.
    trials.ranking = [
        replace(trial, rollout=replace(trial.rollout, returns=np.array([100.0] * 2)))
        for trial in trials.ranking
    ]
    _, acceptance = accept(trials)
    assert acceptance.returns.tolist() == [60.0]
    assert acceptance.accepted


def test_what_was_stopped_does_not_count_where_a_reward_turns_out_negative(
    model_data: SourceModelData, monkeypatch: pytest.MonkeyPatch
) -> None:
    trials = trials_with_left(model_data, left=2, entrance=0.0)
    monkeypatch.setattr(Ledge, "fee", 2.0)
    _, acceptance = accept(trials)
    assert acceptance.stopped_above is None
    assert not acceptance.accepted and "raise -n" in acceptance.verdict


def test_where_the_trial_has_decided_against_it_no_episode_is_taken(
    model_data: SourceModelData,
) -> None:
    trials = trials_with_left(model_data, left=2 * LIMIT)
    del trials.acted[1:]
    used = trials.problem.target.budget.used
    trials.random_returns = np.full(3, trials.ranking[0].score + 1)
    trials.plan = replace(
        trials.plan,
        random_episodes=3,
        random_steps=3 * LIMIT,
        none_ended=True,
        episode_limit=LIMIT,
    )
    _, acceptance = accept(trials)
    assert trials.problem.target.budget.used == used
    assert acceptance.verdict.startswith("refused: not better than random")
    assert len(acceptance.returns) == 1


@pytest.mark.parametrize(
    ("own", "further", "lost"),
    [
        ([0.0], 2, True),  # below one of three: 2 of 20 is 0.1
        ([0.0], 5, False),  # with five above all, 2 of 84 is 0.024
        ([9.0], 2, False),
        ([0.0], 1, False),  # two against three decide nothing in any case
    ],
)
def test_what_has_to_come_is_taken_as_the_best_there_could_be(
    own: list[float], further: int, lost: bool
) -> None:
    random = np.array([-1.0, -1.0, 1.0])
    assert AcceptanceTest(random, np.array(own), 0.95).is_lost(further) == lost
