"""What mapped policies show before anyone learns: the one alignment found, and refits.

Where that one earns less than what counts as solved, its mapping is fitted anew to all
that was seen, and the other policy acts from the same start. Returns decide; the first
one stays among those that may be the result.
"""

from collections.abc import Callable
from typing import TypeAlias, final

import numpy as np

from rltransfer.domain import Policy, Transitions
from rltransfer_agents.learning_on.admission import Admission
from rltransfer_agents.learning_on.episodes import Episodes
from rltransfer_agents.learning_on.guard import (
    FIRST_JUDGED,
    Answer,
    Arm,
    KnownReturns,
)
from rltransfer_agents.learning_on.learn_on_config import LearnOnConfig
from rltransfer_agents.learning_on.measured_curve import MeasuredCurve
from rltransfer_agents.learning_on.strategies import Strategy, way_to_solved

Refit: TypeAlias = Callable[[Policy, Transitions], Policy | None]
"""From a mapped policy and all rows to one whose mapping explains them better."""


@final
class MappedStart:
    """Lets mapped policies act first.

    Args:
        mapped: that alignment found.
        experience: all that alignment saw in the target.
        episodes: of the target.
        config: how long they act.
        curve: is measured where a point is due.
        admission: of the mapped policy.
        refit: fits its mapping anew; None: nothing does.
        floor: the lowest return that alignment saw.
        tested: what the mapped policy earned before.
    """

    def __init__(
        self,
        mapped: Policy,
        experience: Transitions,
        episodes: Episodes,
        config: LearnOnConfig,
        curve: MeasuredCurve,
        admission: Admission,
        refit: Refit | None,
        floor: float,
        tested: KnownReturns,
    ) -> None:
        self._episodes, self._config, self._curve = episodes, config, curve
        self._admission, self._refit, self._floor = admission, refit, floor
        self._until = episodes.target.budget.used + config.steps
        self.rows = [experience]
        """All that was seen in the target."""
        self.first = Arm("mapped", Answer(mapped), tested)
        self.best = self.first
        """The one that earned most."""
        self.out: list[Arm] = []
        """Those that came to nothing."""

    def run(self, strategy: Strategy, random: np.random.Generator) -> list[Arm]:
        """Returns the mapped policies that may be the result, the first one first.

        Args:
            strategy: says what makes one worth learning from.
            random: draws random actions.
        """
        self._curve.measure(self.first)
        for most in (1, self._config.mapped_episodes):
            # One that does not end says nothing, and takes many steps.
            if not self._show(most):
                break
            self._fit_anew()
        first, admission = self.first, self._admission
        lost = admission.lost
        if self.best is first and self.way >= strategy.worth and not lost:
            # To tell whether it may be the result before much is built upon it.
            self._act_at_random(random)
            lost = admission.hopeless(first.episode_steps)
        if lost:
            first.dropped = admission.verdict
            self.out.insert(0, first)
            if self.best is not first and not admission.outranks(self.best.own):
                self._give_up(self.best, "no better than all random episodes either")
        return [arm for arm in dict.fromkeys((first, self.best)) if not arm.dropped]

    @property
    def way(self) -> float:
        """Share of the way to the threshold that the best one has come."""
        return way_to_solved(self.best.mean, self._floor, self._config.solved)

    @property
    def _left(self) -> int:
        return self._until - self._episodes.target.budget.used

    def _show(self, most: int) -> bool:
        """Acts with the best one until so many of its episodes are known.

        Returns:
            Whether the last one ended.
        """
        arm, config = self.best, self._config
        fitted = arm is not self.first
        steps = round(config.mapped_share * config.steps)
        # Without any it could not be compared; one that takes the place of another is
        # to be known from all starts.
        least = min(most, FIRST_JUDGED) if fitted and self._affords else 1
        while len(arm.judged) < least or (
            arm.shown < steps and len(arm.judged) < most and not self._is_lost(arm)
        ):
            if not self._act(arm):
                return False
            if fitted and not self._affords:
                break
        return True

    def _is_lost(self, arm: Arm) -> bool:
        return arm is self.first and self._admission.behind

    def _act(self, arm: Arm) -> bool:
        """Acts in an episode; returns whether it ended."""
        first = arm is self.first
        # One that does not end leaves steps to learn from.
        longest = (self._admission.longest if first else None) or self._left
        rollout = self._episodes.shown(arm, min(self._left // 2, longest))
        self.rows.append(rollout.transitions)
        if first:
            self._admission.acted(rollout.returns.tolist())
        if arm is self.best:
            self._curve.measure(arm)
        return len(rollout.returns) > 0

    @property
    def _affords(self) -> bool:
        """Whether an episode more of what was fitted anew fits into its share."""
        share = self._config.refit_share * self._config.steps
        fitted = {*self.out, self.best} - {self.first}
        spent = sum(arm.steps for arm in fitted)
        return spent + self.best.episode_steps <= share

    def _fit_anew(self) -> None:
        """Fits the best mapping anew while that earns too little and one earns more.

        One that explains the rows clearly better, and earns more from the same start,
        takes its place; after one that does not, nothing is fitted any more.
        """
        while self._refit and self.best.mean < self._config.solved and self._affords:
            policy = self._refit(self.best.answer.policy, Transitions.join(*self.rows))
            # What alignment tested has not acted from where others begin.
            if policy is None or not (self.best.own or self._act(self.best)):
                break
            before, other = self.best, Arm("refitted", Answer(policy))
            ended = self._act(other)
            # It was chosen by this episode, so that it speaks for it nowhere else.
            other.answer.returns.clear()
            if ended and other.own[0] > before.own[0]:
                self.best = other
                if before is not self.first:
                    self._give_up(before, self._outdone(before, other))
            else:
                self._refit = None
                reason = self._outdone(other, before) if ended else "it was cut off"
                self._give_up(other, reason)
            self._curve.measure(self.best)

    def _outdone(self, worse: Arm, better: Arm) -> str:
        gap = f"{worse.own[0]:.1f} against {better.own[0]:.1f}"
        return f"{gap} of {better.name} from the same start"

    def _give_up(self, arm: Arm, reason: str) -> None:
        arm.dropped = reason
        self.out.append(arm)

    def _act_at_random(self, rng: np.random.Generator) -> None:
        """Acts at random where too few such episodes are known to compare with."""
        rollout = self._admission.act_at_random(
            self._episodes.target,
            round(self._config.random_share * self._config.steps),
            self._episodes.seed(),
            rng,
        )
        if rollout is not None:
            self.rows.append(rollout.transitions)
