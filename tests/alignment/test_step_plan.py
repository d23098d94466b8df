"""The arithmetic of a budget, worked by hand."""

from dataclasses import replace
from typing import Any

import pytest

from rltransfer.alignment.step_plan import BestTrial, StepPlan, StepPlanConfig
from rltransfer.errors import InputError

# Ten random episodes of 20 steps each: the test then needs 2, for C(12, 2) = 66.
PLAN = StepPlan(1200, StepPlanConfig(), 0.95, random_episodes=10, random_steps=200)


def test_a_quarter_of_the_budget_explores_and_never_less_than_the_least() -> None:
    assert PLAN.exploration == 300
    assert replace(PLAN, budget=399).exploration == 100
    assert PLAN.wanted_episodes == (3, 401, 600)


def test_a_trial_takes_a_sixth_or_one_long_episode() -> None:
    assert PLAN.trial_steps == 200
    assert replace(PLAN, episode_limit=150).trial_steps == 150


def test_a_trial_that_only_ranks_is_short_where_no_episode_ends_early() -> None:
    long = replace(PLAN, budget=12_000, episode_limit=1000)
    assert long.trial_steps == long.short_steps == 1000
    assert replace(long, none_ended=True).short_steps == 500
    assert replace(PLAN, none_ended=True).short_steps == 200


def test_trials_of_several_sources_share_steps_but_last_a_random_episode() -> None:
    assert PLAN.trial_share(240, 4) == 240  # useless ones end early
    plan = replace(PLAN, none_ended=True)
    assert [plan.trial_share(240, sharing) for sharing in (1, 4)] == [240, 60]
    # Random episodes take 20 steps.
    assert [plan.trial_share(spare, 8) for spare in (80, 12)] == [20, 12]
    assert replace(plan, random_episodes=0).trial_share(80, 8) == 10


@pytest.mark.parametrize(
    ("episodes", "steps", "expected"),
    [
        (10, 200, 5),  # half of 200 steps, in episodes of 20
        (10, 50, 6),  # 20 would fit; six are enough
        (2, 200, 2),  # one would fit; two are the fewest
        (0, 0, 2),
    ],
)
def test_a_trial_has_more_episodes_where_they_are_short(
    episodes: int, steps: int, expected: int
) -> None:
    plan = replace(PLAN, random_episodes=episodes, random_steps=steps)
    assert plan.trial_episodes == expected


def test_the_reserve_is_what_the_test_will_need_of_such_episodes() -> None:
    assert PLAN.needed_episodes == 2 and PLAN.acceptance_episodes == 5
    assert PLAN.reserve(BestTrial(100.0, finished=True)) == 210  # 2 · 100 · 1.05
    # But two thirds of the budget at most, and half of that while nothing is known.
    assert PLAN.reserve(BestTrial(500.0, finished=True)) == 800
    assert PLAN.reserve(None) == 400


def test_after_one_random_episode_the_test_takes_all_there_is() -> None:
    single = replace(PLAN, random_episodes=1, random_steps=20)
    assert single.needed_episodes == 19 and single.alone
    assert not PLAN.alone
    # Long episodes cannot show anything then; short ones can.
    assert single.reserve(BestTrial(500.0, finished=False)) == 400
    assert single.reserve(BestTrial(10.0, finished=True)) == 199  # 19 · 10 · 1.05


def test_a_trial_is_affordable_while_the_reserve_stays_whole() -> None:
    best = BestTrial(100.0, finished=True)  # the reserve is 210, an episode 105
    assert PLAN.spare(885, best) == 105
    assert PLAN.affords_trial(885, best)
    assert not PLAN.affords_trial(886, best)
    assert PLAN.affords_trial(1200, None)
    # Where none ends early, one that only ranks is short: its steps are enough.
    long = replace(PLAN, budget=10_000, episode_limit=1000, none_ended=True)
    best = BestTrial(1000.0, finished=False)  # the reserve is 2100
    assert long.affords_trial(7400, best)
    assert not long.affords_trial(7401, best)


def test_random_episodes_are_added_where_they_let_few_episodes_decide() -> None:
    # One episode needs 19 others, and a random one takes 20 steps.
    assert PLAN.random_to_decide(left=100, episodes=1, random_episodes=14) == 5
    assert PLAN.random_to_decide(left=99, episodes=1, random_episodes=14) == 0
    assert PLAN.random_to_decide(left=100, episodes=0, random_episodes=14) == 0


def test_what_the_test_does_not_need_is_acted_at_random() -> None:
    best = BestTrial(100.0, finished=True)
    assert PLAN.random_again(900, best) == (90, 4)  # of 20 steps each
    assert PLAN.random_again(0, best) == (990, 5)
    assert PLAN.random_again(1100, best)[1] == 0
    assert replace(PLAN, random_episodes=0).random_again(0, best)[1] == 0


def test_episodes_are_stopped_where_whole_ones_do_not_fit() -> None:
    # Two whole episodes of 100 steps, with a margin, are 210.
    best = BestTrial(100.0, finished=True, outranks_after=20.0)
    assert not PLAN.stops(best, left=210) and PLAN.stops(best, left=209)
    assert PLAN.own_steps(best, left=209) == pytest.approx(42.0)
    # Where a reward was negative, what an episode was paid may be lost again.
    assert not PLAN.stops(best._replace(outranks_after=None), left=10)


def test_so_many_episodes_fit_where_none_ends_early() -> None:
    long = replace(PLAN, episode_limit=200, random_episodes=3, none_ended=True)
    best = BestTrial(200.0, finished=True)
    assert long.acceptance_episodes == 5
    assert long.fitting(450, best, 5) == 2
    # One that ends early may be followed by shorter ones.
    assert long.fitting(450, best._replace(episode_steps=90.0), 5) == 5
    assert replace(long, none_ended=False).fitting(450, best, 5) == 5


def test_more_short_episodes_are_aimed_at_where_they_cost_little() -> None:
    plan = replace(PLAN, random_episodes=30)
    assert plan.acceptance_episodes == 5
    # A twentieth of 1,000 steps is 50.
    assert plan.aimed_at(1_000, BestTrial(5.0, finished=True)) == 10
    assert plan.aimed_at(1_000, BestTrial(20.0, finished=True)) == 5
    assert plan.aimed_at(9_000, BestTrial(5.0, finished=True)) == 20


@pytest.mark.parametrize(
    ("budget", "explored", "tried"),
    [(400, 200, 133), (1_200, 600, 400), (1_800, 600, 400), (6_000, 1_500, 1_000)],
)
def test_before_learning_nothing_is_kept_back_for_the_test(
    budget: int, explored: int, tried: int
) -> None:
    config = StepPlanConfig.before_learning(budget)
    plan = replace(PLAN, config=config, budget=budget)
    best = BestTrial(20.0, finished=True)
    assert PLAN.reserve(best) > 0 and plan.reserve(best) == plan.reserve(None) == 0
    assert plan.spare(budget - 7, best) == 7
    assert (plan.exploration, plan.trial_steps) == (explored, tried)
    assert plan.wanted_episodes.within == int(budget / 1.5)


@pytest.mark.parametrize("wrong", [{"acceptance_share": 0.0}, {"tested_later": True}])
def test_steps_for_the_test_are_kept_back_unless_it_comes_later(
    wrong: dict[str, Any],
) -> None:
    with pytest.raises(InputError, match="0 where the test is left for later"):
        StepPlanConfig(**wrong)
