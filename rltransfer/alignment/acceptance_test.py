"""Whether the chosen candidate beats acting at random, with confidence."""

from dataclasses import dataclass
from typing import Any, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from rltransfer.alignment.candidates import Trial
from rltransfer.alignment.source_model_data import exploring
from rltransfer.alignment.trials import Trials
from rltransfer.domain import Policy, Rollout, StickyRandomPolicy
from rltransfer.evaluation import (
    Comparison,
    beats,
    beats_by_rank,
    episodes_needed,
)

Returns: TypeAlias = NDArray[np.float64]
"""One for each episode."""


@final
@dataclass(frozen=True, eq=False)
class AcceptanceTest:
    """What the chosen candidate earned on fresh episodes, and acting at random.

    Args:
        random_returns: one for each episode of acting at random.
        returns: one for each episode of the candidate; none of them chose it.
        confidence: needed to accept it.
        stopped_above: return above which episodes of the candidate were stopped; None
            where they went on to their end.
        untested: whether no target step was allowed, so that nothing was tested.
    """

    random_returns: Returns
    returns: Returns
    confidence: float
    stopped_above: float | None = None
    untested: bool = False

    @classmethod
    def none(cls, confidence: float) -> "AcceptanceTest":
        """Returns what stands for a test where no target step is allowed."""
        return cls(np.zeros(0), np.zeros(0), confidence, untested=True)

    @property
    def comparison(self) -> Comparison | None:
        """The test; None where one side has no episode."""
        if not len(self.returns) or not len(self.random_returns):
            return None
        if self.stopped_above is not None:
            # How much higher they would have been is not known, only their ranks are.
            return beats_by_rank(self.returns, self.random_returns, self.confidence)
        return beats(self.returns, self.random_returns, self.confidence)

    @property
    def accepted(self) -> bool | None:
        """Whether the candidate may be used; None where that was not tested."""
        if self.untested:
            return None
        return self.comparison is not None and self.comparison.better

    @property
    def missing(self) -> int:
        """Episodes of the candidate without which none is accepted by their ranks.

        While there are some, more may be taken without harm: what the fewer ones said
        is put aside. Once there are none, a second look would be a second chance to
        look good by luck.
        """
        needed = episodes_needed(len(self.random_returns), self.confidence)
        return max(0, needed - len(self.returns))

    @property
    def decides(self) -> bool:
        """Whether there are episodes enough to accept a candidate."""
        return len(self.random_returns) > 0 and not self.missing

    def is_lost(self, further: int) -> bool:
        """Returns whether it decides against the candidate whatever comes.

        Args:
            further: episodes of the candidate that are still to come, at most.
        """
        if self.comparison is None or self.missing > further:
            return False
        above = 1.0 + float(max(self.returns.max(), self.random_returns.max()))
        best = np.append(self.returns, np.full(further, above))
        return not beats_by_rank(best, self.random_returns, self.confidence).better

    @property
    def open(self) -> bool:
        """Whether all its episodes are ahead, and are too few to decide."""
        if self.comparison is None or self.decides:
            return False
        return float(self.returns.min()) > float(self.random_returns.max())

    @property
    def verdict(self) -> str:
        """What the test says, in plain words."""
        if self.untested:
            return (
                "unproved: the mapping rests on logged steps alone and was never tried "
                "in the target; it may be worthless until -n steps test it"
            )
        if not len(self.random_returns):
            return (
                "refused: the budget ended before one random episode did, so there is "
                "nothing to compare with; raise -n"
            )
        if self.comparison is None:
            return "refused: the budget left no episode to test with; raise -n"
        least = "" if self.stopped_above is None else "at least "
        figures = (
            f"{least}{self.returns.mean():.1f} over {_episodes(self.returns)} against "
            f"{self.random_returns.mean():.1f} over {len(self.random_returns)} at "
            f"random (p = {self.comparison.p_value:.2g}, {self.comparison.method})"
        )
        if self.stopped_above is not None:
            figures += (
                "; no reward was negative, so episodes were stopped above "
                f"{self.stopped_above:.1f}, the best at random until then"
            )
        if self.accepted:
            return f"accepted: better than random with {self._sure}: {figures}"
        if self.open:
            return (
                f"refused, too few episodes to decide: {figures}; {self._sure} needs "
                f"p = {1 - self.confidence:.2g} or less: raise -n"
            )
        return (
            f"refused: not better than random with {self._sure}: {figures}; train "
            "from scratch, try another source, or raise -n"
        )

    @property
    def _sure(self) -> str:
        return f"{100 * self.confidence:.4g} % confidence"


def _episodes(returns: Returns) -> str:
    return "1 episode" if len(returns) == 1 else f"{len(returns)} episodes"


def random_to_beat(
    held: Returns,
    single: Returns,
    episodes: int,
    confidence: float,
    fewest: int,
) -> Returns:
    """Returns the random episodes that a mapping has to beat.

    Of the two ways to act at random the better one, if it was seen often enough to
    decide anything; else all episodes together.

    Args:
        held: returns of episodes that hold each action for a while.
        single: returns of episodes that draw a new action at every step.
        episodes: of the mapping.
        confidence: needed to accept it.
        fewest: episodes of one way that may be compared with alone.
    """
    kinds = [returns for returns in (held, single) if len(returns)]
    if not kinds:
        return held
    best = max(kinds, key=lambda returns: float(returns.mean()))
    enough = len(best) >= fewest and episodes_needed(len(best), confidence) <= episodes
    return best if enough else np.concatenate(kinds)


def _loses(rollout: Rollout) -> bool:
    return bool((rollout.transitions.reward < 0).any())


def accept(trials: Trials) -> tuple[Trial, AcceptanceTest]:
    """Acts with the best candidate on fresh episodes, and compares.

    How many episodes are aimed at is settled before; where the budget is short, one
    that would not end in time, going by the mean so far, is not begun. Where they turn
    out to be too few to decide, the steps that are left are used for more. Where whole
    ones do not fit, and no reward was ever negative, an episode is stopped once it
    outranks all random ones: by then its rank is the highest, however it goes on. So it
    is where the budget cuts the only one short. Where all were ahead and still too few,
    as many more as decide may go past the budget, if the plan has steps for them. None
    is taken where those of the trial have decided against the candidate already.
    """
    plan, target, chosen = trials.plan, trials.problem.target, trials.ranking[0]
    config = trials.problem.config
    held, single, loses = trials.random_returns, np.zeros(0), False

    def random(use: str) -> np.random.Generator:
        return config.streams.generator(f"{use} actions")

    def act(policy: Policy, use: str, steps: int, episodes: int, **how: Any) -> Rollout:
        return trials.collect(
            policy,
            purpose="acceptance",
            seed=config.streams.integer(use),
            steps=steps,
            episodes=episodes,
            **how,
        )

    def tested() -> AcceptanceTest:
        random_returns = random_to_beat(
            held,
            single,
            len(returns),
            config.confidence,
            plan.config.fewest_random_episodes,
        )
        return AcceptanceTest(random_returns, returns, config.confidence, above)

    best = trials.best
    assert best is not None
    steps, episodes = plan.random_again(target.budget.used, best)
    if episodes:
        # Holding actions may be the better or the worse way to act at random.
        policy = StickyRandomPolicy(target.actions, random("random again"), longest=1)
        again = act(policy, "random again", steps, episodes)
        single, loses = again.returns, _loses(again)
    left = target.budget.allowed(plan.budget)
    highest = float(np.concatenate([held, single, [-np.inf]]).max())
    above = highest if plan.stops(best, left) and not loses else None
    # Of a single trial nothing was chosen: its episodes are as good as any.
    known = chosen.rollout.returns
    if len(trials.acted) > 1 or trials.returns_stopped:
        known = np.zeros(0)
    returns = known
    if above is None and tested().is_lost(plan.fitting(left, best)):
        return chosen, tested()
    rollout = act(
        chosen.policy,
        "acceptance",
        plan.budget,
        plan.acceptance_episodes,
        whole=True,
        expected_steps=best.episode_steps if above is None else best.outranks_after,
        stop_above=above,
    )
    returns, loses = rollout.returns, loses or _loses(rollout)
    if above is not None and loses:
        # What was stopped may have lost again what it was paid.
        above, returns = None, np.zeros(0)
    elif best.outranks_after is not None and not len(returns) and not loses:
        paid = rollout.unfinished_return
        if paid > highest:
            above, returns = highest, np.array([paid])
    returns = np.concatenate([known, returns])
    result = tested()
    left = target.budget.allowed(plan.budget)
    if result.decides or not len(result.random_returns):
        return chosen, result
    random_episodes = len(result.random_returns)
    more = plan.random_to_decide(left, len(returns), random_episodes) if left else 0
    if more:
        # Of the kind whose length is known.
        policy = exploring(target, config, random("random left over"))
        added = act(policy, "random left over", left, more).returns
        held = np.concatenate([held, added])
    elif left:
        # It may end before its mean; if the budget cuts it short, it does not count.
        added = act(chosen.policy, "acceptance left over", left, 1).returns
        returns = np.concatenate([returns, added])
    result = tested()
    beyond = plan.more_to_decide(result.missing, best) if result.open else 0
    if beyond and above is None:
        # What was begun last may have ended early, and have left more than that.
        steps = max(beyond, target.budget.allowed(plan.budget))
        target.budget.raise_to(target.budget.used + steps)
        use = "acceptance past the budget"
        added = act(chosen.policy, use, steps, result.missing).returns
        returns = np.concatenate([returns, added])
        result = tested()
    return chosen, result
