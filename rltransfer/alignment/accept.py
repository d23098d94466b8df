"""Testing the chosen candidate on fresh episodes, within the steps that are left."""

from typing import Any, final

import numpy as np

from rltransfer.alignment.acceptance_test import AcceptanceTest, random_to_beat
from rltransfer.alignment.candidates import Trial
from rltransfer.alignment.source_model_data import exploring, holding_helps
from rltransfer.alignment.trials import Trials
from rltransfer.domain import Policy, Rollout, StickyRandomPolicy


def accept(trials: Trials) -> tuple[Trial, AcceptanceTest]:
    """Acts with the best candidate on fresh episodes, and compares.

    How many episodes are aimed at is settled before; where the budget is short, one
    that would not end in time, going by the mean so far, is not begun. Where they turn
    out to be too few to decide, the steps that are left are used for more. None is
    taken where those of the trial have decided against the candidate already, or where
    the plan leaves the test for later.

    Args:
        trials: at least one.
    """
    testing = _Testing(trials)
    if not trials.plan.config.tested_later:
        testing.act_at_random_again()
        if not testing.lost:
            testing.act()
            testing.use_what_is_left()
    return testing.chosen, testing.result


@final
class _Testing:
    """The test of the best candidate, while it goes on.

    Args:
        trials: at least one.
    """

    def __init__(self, trials: Trials) -> None:
        best = trials.best
        assert best is not None
        self._trials, self._plan, self._best = trials, trials.plan, best
        self._config, self._budget = trials.problem.config, trials.problem.target.budget
        self.chosen = trials.ranking[0]
        self._aimed = self._plan.aimed_at(self._left, best)
        self._held, self._single = trials.random_returns, np.zeros(0)
        self._loses = False
        """Whether a reward was negative since exploring."""
        self._above: float | None = None
        """Return above which an episode is stopped, and was."""
        # Of a single trial nothing was chosen: its episodes are as good as any.
        alone = len(trials.acted) == 1 and not trials.returns_stopped
        self._known = self.chosen.rollout.returns if alone else np.zeros(0)
        self._returns = self._known

    @property
    def result(self) -> AcceptanceTest:
        """The test of all that was earned so far."""
        random_returns = random_to_beat(
            self._held,
            self._single,
            len(self._returns),
            self._config.confidence,
            self._plan.config.fewest_random_episodes,
        )
        return AcceptanceTest(
            random_returns, self._returns, self._config.confidence, self._above
        )

    @property
    def lost(self) -> bool:
        """Whether the trial has decided against the candidate already."""
        fitting = self._plan.fitting(self._left, self._best, self._aimed)
        return not self._stops and self.result.is_lost(fitting)

    @property
    def _left(self) -> int:
        return self._budget.allowed(self._plan.budget)

    @property
    def _stops(self) -> bool:
        """Whether an episode is to be stopped as soon as its rank is known."""
        return self._plan.stops(self._best, self._left) and not self._loses

    def act_at_random_again(self) -> None:
        """Takes random episodes of the other kind, if the plan has steps for them."""
        if not holding_helps(self._trials.problem.target):
            return  # there is but one kind
        steps, episodes = self._plan.random_again(self._budget.used, self._best)
        if episodes:
            # Holding actions may be the better or the worse way to act at random.
            policy = StickyRandomPolicy(
                self._trials.problem.target.actions,
                self._random("random again"),
                longest=1,
            )
            again = self._act(policy, "random again", steps, episodes)
            self._single, self._loses = again.returns, _loses(again)

    def act(self) -> None:
        """Acts with the candidate, as often as is aimed at.

        Where whole episodes do not fit, and no reward was ever negative, one is stopped
        once it outranks all random ones: by then its rank is the highest, however it
        goes on. So it is where the budget cuts the only one short.
        """
        best, highest = self._best, self._highest
        above = highest if self._stops else None
        rollout = self._act(
            self.chosen.policy,
            "acceptance",
            self._plan.budget,
            self._aimed,
            whole=True,
            expected_steps=best.episode_steps if above is None else best.outranks_after,
            stop_above=above,
        )
        returns = rollout.returns
        self._loses |= _loses(rollout)
        if above is not None and self._loses:
            # What was stopped may have lost again what it was paid.
            above, returns = None, np.zeros(0)
        elif best.outranks_after is not None and not (len(returns) or self._loses):
            paid = rollout.unfinished_return
            if paid > highest:
                above, returns = highest, np.array([paid])
        self._above = above
        self._returns = np.concatenate([self._known, returns])

    def use_what_is_left(self) -> None:
        """Where no outcome could have decided, takes more episodes of either."""
        result, left, target = self.result, self._left, self._trials.problem.target
        if result.decides or not len(result.random_returns) or not left:
            return
        own, random = len(self._returns), len(result.random_returns)
        more = self._plan.random_to_decide(left, own, random)
        if more:
            # Of the kind whose length is known.
            use = "random left over"
            policy = exploring(target, self._config, self._random(use))
            added = self._act(policy, use, left, more).returns
            self._held = np.concatenate([self._held, added])
        else:
            # It may end before its mean; cut short by the budget, it does not count.
            self._add("acceptance left over", left, 1)

    @property
    def _highest(self) -> float:
        return float(np.concatenate([self._held, self._single, [-np.inf]]).max())

    def _random(self, use: str) -> np.random.Generator:
        return self._config.streams.generator(f"{use} actions")

    def _act(
        self, policy: Policy, use: str, steps: int, episodes: int, **how: Any
    ) -> Rollout:
        return self._trials.collect(
            policy,
            purpose="acceptance",
            seed=self._config.streams.integer(use),
            steps=steps,
            episodes=episodes,
            **how,
        )

    def _add(self, use: str, steps: int, episodes: int) -> None:
        added = self._act(self.chosen.policy, use, steps, episodes).returns
        self._returns = np.concatenate([self._returns, added])


def _loses(rollout: Rollout) -> bool:
    return bool((rollout.transitions.reward < 0).any())
