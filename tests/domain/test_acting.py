from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from rltransfer.domain import (
    Domain,
    History,
    MixturePolicy,
    Rollout,
    StickyRandomPolicy,
    WantedEpisodes,
)
from rltransfer.errors import EnvironmentFault, InputError
from rltransfer.resume.replay_log import ReplayLog
from rltransfer.wrappers import StepBudget
from tests.worlds.points import Broken, Chooser, Home, Point


def explored(seed: int, steps: int = 64, limit: int | None = None) -> Rollout:
    domain = Domain(Point, "point", StepBudget(limit))
    explorer = StickyRandomPolicy(domain.actions, np.random.default_rng(seed))
    return domain.collect(explorer, purpose="exploration", seed=seed, steps=steps)


def test_the_same_seed_gives_the_same_experience() -> None:
    once, again, other = explored(7), explored(7), explored(8)
    torch.testing.assert_close(
        once.transitions.observation, again.transitions.observation
    )
    assert not torch.equal(once.transitions.observation, other.transitions.observation)


def test_rows_follow_each_other_within_an_episode() -> None:
    rollout = explored(0, steps=10)
    rows = rollout.transitions
    assert len(rows) == 10
    torch.testing.assert_close(rows.next_observation[:-1], rows.observation[1:])
    assert rollout.unfinished_steps == 10
    assert rollout.unfinished_return == pytest.approx(
        float(rows.reward.sum()), abs=1e-4
    )


def test_a_time_limit_truncates_an_episode_but_terminates_nothing() -> None:
    domain = Domain(lambda: Point(limit=3, radius=0.0), "point")
    stay = StickyRandomPolicy(domain.actions, np.random.default_rng(2))
    rollout = domain.collect(stay, purpose="exploration", seed=5, steps=8)
    rows = rollout.transitions
    assert rows.episode.tolist() == [0, 0, 0, 1, 1, 1, 2, 2]
    assert rows.truncated.nonzero().squeeze(1).tolist() == [2, 5]
    assert not rows.terminated.any()
    assert len(rollout.returns) == 2 and rollout.unfinished_steps == 2


def test_every_step_is_counted_once_and_the_limit_is_hard() -> None:
    domain = Domain(Point, "point", StepBudget(100))
    explorer = StickyRandomPolicy(domain.actions, np.random.default_rng(0))
    domain.collect(explorer, purpose="exploration", seed=0, steps=60)
    rollout = domain.collect(explorer, purpose="acceptance", seed=0, steps=60)
    assert len(rollout.transitions) == 40
    assert domain.budget.taken == {"exploration": 60, "acceptance": 40}
    assert domain.budget.used == 100 and domain.budget.allowed(5) == 0


def test_episodes_that_report_are_booked_apart() -> None:
    domain = Domain(Point, "point", StepBudget(10))
    returns = domain.evaluate(Home(), episodes=5, seed=3)
    assert returns.shape == (5,) and domain.budget.used == 0
    assert domain.budget.reported["evaluation"] > 0
    shown = domain.report(Home(), episodes=5, seed=3)
    np.testing.assert_array_equal(shown.returns, returns)
    assert shown.lengths.sum() * 2 == domain.budget.reported["evaluation"]
    np.testing.assert_array_equal(returns, domain.evaluate(Home(), episodes=5, seed=3))


def test_no_episode_is_begun_that_would_not_end_in_time() -> None:
    domain = Domain(lambda: Point(limit=10, sensors=np.eye(2) * 0), "point")
    still = StickyRandomPolicy(domain.actions, np.random.default_rng(0))
    whole = domain.collect(still, purpose="acceptance", seed=0, steps=24, whole=True)
    assert whole.unfinished_steps == 0 and len(whole.transitions) <= 24


def test_an_episode_that_was_paid_more_is_stopped() -> None:
    domain = Domain(lambda: Point(limit=10, radius=0.0), "point")
    stay = StickyRandomPolicy(domain.actions, np.random.default_rng(2))
    how: Any = {"purpose": "acceptance", "seed": 5, "episodes": 3}
    # Every step costs something: more than -100 is paid at once.
    stopped = domain.collect(stay, steps=30, stop_above=-100.0, **how)
    assert stopped.transitions.episode.tolist() == [0, 1, 2]
    paid = stopped.transitions.reward.double().numpy()
    np.testing.assert_allclose(stopped.returns, paid, rtol=1e-6)
    whole = domain.collect(stay, steps=30, stop_above=0.0, **how)
    assert len(whole.transitions) == 30


@pytest.mark.parametrize(
    ("wanted", "finished", "steps"),
    [
        (WantedEpisodes(1, 60, 5), 1, 50),
        (WantedEpisodes(3, 60, 150), 3, 150),
        # The third one would not end in time, going by the first two.
        (WantedEpisodes(3, 60, 149), 2, 100),
        (WantedEpisodes(3, 49, 200), 0, 49),
    ],
)
def test_exploration_goes_on_for_episodes_that_end_in_time(
    wanted: WantedEpisodes, finished: int, steps: int
) -> None:
    domain = Domain(lambda: Point(limit=50, radius=0.0), "point")
    explorer = StickyRandomPolicy(domain.actions, np.random.default_rng(4))
    rollout = domain.collect(
        explorer, purpose="exploration", seed=4, steps=5, wanted=wanted
    )
    assert (len(rollout.returns), len(rollout.transitions)) == (finished, steps)


def test_given_actions_are_taken_an_episode_each() -> None:
    domain = Domain(lambda: Point(limit=3, radius=0.0), "point", StepBudget(100))
    still = np.eye(4)[[0, 2, 0, 2, 0]]
    rows = domain.replay([still[:2], still, still[:1]], purpose="source", seed=5)
    # The second one ends at the limit, before its actions do.
    assert rows.episode.tolist() == [0, 0, 1, 1, 1, 2]
    assert rows.action.argmax(dim=1).tolist() == [0, 2, 0, 2, 0, 0]
    assert domain.budget.taken == {"source": 6}
    for episode, first in enumerate((0, 2, 5)):
        shown = domain.reset(5 + episode)
        np.testing.assert_array_equal(rows.observation[first].numpy(), shown)


@pytest.mark.parametrize(
    ("fault", "named"),
    [
        ("observation", r"observation is not finite: \[1\] is nan"),
        ("infinite", r"observation is not finite: \[0\] is inf"),
        ("shape", r"observation has shape \(3,\)"),
        ("reward", "reward is not finite: nan"),
        ("raise", r"step with action \d raised RuntimeError: the motor burnt"),
    ],
)
def test_a_fault_names_environment_step_and_field(fault: str, named: str) -> None:
    domain = Domain(lambda: Broken(fault, at=5), "Broken-v0", StepBudget(50))
    explorer = StickyRandomPolicy(domain.actions, np.random.default_rng(0))
    with pytest.raises(EnvironmentFault, match=f"Broken-v0, step 5: {named}"):
        domain.collect(explorer, purpose="exploration", seed=0, steps=20)


def test_a_limit_is_raised_but_never_lowered() -> None:
    budget = StepBudget(5)
    budget.count(5)
    budget.raise_to(7)
    assert budget.allowed(10) == 2
    for limited, limit in ((budget, 6), (StepBudget(), 6)):
        with pytest.raises(ValueError, match="is not raised"):
            limited.raise_to(limit)


def test_a_budget_below_one_step_is_refused() -> None:
    with pytest.raises(InputError, match="at least 0 steps, got -1"):
        StepBudget(-1)


def test_an_explorer_holds_actions_unless_told_not_to() -> None:
    domain = Domain(Point, "point")
    held, single = (
        StickyRandomPolicy(domain.actions, np.random.default_rng(0), longest=longest)
        for longest in (32, 1)
    )
    zeros = np.zeros(2)

    def changes(explorer: StickyRandomPolicy) -> float:
        actions = [int(explorer.predict(zeros)[0]) for _ in range(2000)]
        return float(np.mean(np.diff(actions) != 0))

    # Of four even actions, three quarters of fresh draws differ from the last one.
    assert changes(single) == pytest.approx(0.75, abs=0.05)
    assert changes(held) < 0.4


def test_a_mixture_follows_each_policy_for_its_share() -> None:
    always = [Chooser(lambda seen, action=action: action) for action in (0, 1)]
    mixed = MixturePolicy(*always, 0.3, np.random.default_rng(0))
    share = np.mean([mixed.predict(np.zeros(2))[0] for _ in range(4000)])
    assert share == pytest.approx(0.3, abs=0.03)


def endless(cap: int) -> Domain:
    return Domain(lambda: Point(limit=10**9, radius=0.0), "Endless-v0", episode_cap=cap)


def test_a_reported_episode_must_end() -> None:
    domain = endless(50)
    with pytest.raises(
        EnvironmentFault,
        match=r"Endless-v0: .* not within 50 steps; .* max_episode_steps=1000",
    ):
        domain.evaluate(Home(), episodes=2, seed=0)
    assert domain.budget.reported == {"evaluation": 50}
    # The episodes that something is learned from are limited by the budget.
    rollout = domain.collect(Home(), purpose="exploration", seed=0, steps=80)
    assert len(rollout.transitions) == 80


def test_an_episode_may_be_as_long_as_the_cap() -> None:
    domain = Domain(lambda: Point(limit=50, radius=0.0), "point", episode_cap=50)
    assert len(domain.evaluate(Home(), episodes=2, seed=0)) == 2


def test_a_stop_need_not_wait_for_episodes_that_only_report(tmp_path: Path) -> None:
    log = ReplayLog(tmp_path / "log", {})
    acting: list[bool] = []

    class Watching(Home):
        def predict(self, *arguments: Any, **named: Any) -> tuple[Any, Any]:
            acting.append(log.acting)
            return super().predict(*arguments, **named)

    domain = Domain(lambda: Point(limit=2, radius=0.0), "point")
    domain.use_replay_log(log, "target")
    domain.collect(Watching(), purpose="exploration", seed=0, steps=2)
    domain.evaluate(Watching(), episodes=1, seed=0)
    assert acting == [True, True, False, False]


def test_an_environment_whose_seeds_decide_nothing_is_noticed() -> None:
    class Unseeded(Point):
        def reset(self, *, seed: Any = None, options: Any = None) -> Any:
            return super().reset(seed=None)

    assert not Domain(Point, "point").ignores_seeds(3)
    assert Domain(Unseeded, "point").ignores_seeds(3)


class Recalling:
    """Acts at random and stacks what it sees, as a policy that remembers does."""

    def __init__(self, history: History) -> None:
        self.history = history
        self.stacks: list[Any] = []
        self._rng = np.random.default_rng(0)

    def predict(
        self,
        observation: Any,
        state: Any = None,
        episode_start: Any = None,
        deterministic: bool = False,
    ) -> tuple[Any, Any]:
        memory = self.history.recalled(observation, state and state[0], episode_start)
        self.stacks.append(np.concatenate([observation, memory]))
        action = int(self._rng.integers(4))
        after = self.history.after(self.stacks[-1], np.eye(4, dtype=np.float32)[action])
        return action, (after,)


@pytest.mark.parametrize("steps", [2, 3])
def test_rows_are_stacked_as_acting_remembers_them(steps: int) -> None:
    history = History(steps, 2, 4)
    policy = Recalling(history)
    domain = Domain(lambda: Point(limit=6), "point")
    rows = domain.collect(policy, purpose="selection", seed=0, steps=40).transitions
    assert len(rows.episode.unique()) > 3
    stacked = history.stacked(rows)
    assert stacked.observation.shape == (40, history.size)
    np.testing.assert_array_equal(stacked.observation.numpy(), np.stack(policy.stacks))
    follows = rows.episode[1:] == rows.episode[:-1]
    torch.testing.assert_close(
        stacked.next_observation[:-1][follows], stacked.observation[1:][follows]
    )
    policy.stacks.clear()
    domain.evaluate(policy, episodes=2, seed=0)
    begun = history.begun(policy.stacks[0][:2])
    np.testing.assert_array_equal(policy.stacks[0][2:], begun)
