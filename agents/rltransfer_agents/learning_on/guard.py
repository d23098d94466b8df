"""Who acts next, who is out, and who would be the answer now: by counted returns."""

from dataclasses import dataclass
from typing import Literal, TypeAlias, final

import numpy as np

from rltransfer.domain import Policy
from rltransfer.evaluation import beats

ArmName: TypeAlias = Literal["mapped", "student", "scratch"]

_WINDOW = 10
"""Episodes by which an arm is judged: it changes while it learns."""
_LEAST = 3
"""Before an arm is judged at all."""
_PROBED = 8
"""Episodes of which one is the other learner's: it learns all the time."""
_CONFIDENCE = 0.99
"""That an arm is behind, each time it is looked at."""
_BEHIND = 3
"""Windows in which it must be, one after the other, before it is out."""
_CHANCE = 0.2
"""Of the steps before any arm is out: learners start slowly."""
_SLACK = 1.5
"""Standard errors by which a learner may seem worse than at its best."""


@final
class Arm:
    """One who may act, and what that earned.

    Args:
        name: what the report calls it.
        policy: that never changes; None for a learner.
    """

    def __init__(self, name: ArmName, policy: Policy | None = None) -> None:
        self.name: ArmName = name
        self.returns: list[float] = []
        self.steps = 0
        self.dropped: str | None = None
        self.answer = policy
        """What would act as the result; of a learner, as it was when it earned most."""
        self.answer_mean = -np.inf
        """What that earned when it was taken."""
        self._fixed = policy is not None
        self._best = -np.inf
        self.behind = 0
        """Windows in a row in which another arm was measurably better."""
        self.looked = 0
        """Episodes when that was last looked at."""

    @property
    def window(self) -> list[float]:
        """The returns by which it is judged."""
        return self.returns if self._fixed else self.returns[-_WINDOW:]

    @property
    def mean(self) -> float:
        """Of these."""
        return float(np.mean(self.window)) if self.returns else -np.inf

    @property
    def error(self) -> float:
        """Standard error of the mean."""
        count = len(self.window)
        return float(np.std(self.window, ddof=1) / np.sqrt(count)) if count > 1 else 0.0

    @property
    def judged(self) -> bool:
        """Whether there are enough episodes to judge by."""
        return len(self.window) >= (1 if self._fixed else _LEAST)

    def earned(self, episode_return: float, steps: int) -> bool:
        """Takes note of an episode; returns whether it is as good as it ever was.

        Then what it is now should be its answer.
        """
        self.returns.append(episode_return)
        self.steps += steps
        if self._fixed:
            self.answer_mean = self.mean
            return False
        if not self.judged:
            return False
        self._best = max(self._best, self.mean)
        as_good = self.mean >= self._best - _SLACK * self.error
        if as_good:
            self.answer_mean = self.mean
        return as_good


@final
@dataclass(eq=False)
class Guard:
    """Chooses by whole episodes, as ESBAS does for learners that share one replay.

    Laroche & Féraud, "Reinforcement Learning Algorithm Selection", ICLR 2018; the rule
    is sliding-window UCB (Garivier & Moulines, ALT 2011), as learners change.
    """

    arms: list[Arm]
    """The learners first; the mapped policy, if any, acts before and after learning."""
    steps: int
    """Of all the learning."""

    def __post_init__(self) -> None:
        self._past: list[str] = []
        self._leader: Arm | None = None

    @property
    def learners(self) -> list[Arm]:
        """Who may still learn."""
        return [
            arm for arm in self.arms if arm.name != "mapped" and arm.dropped is None
        ]

    def choose(self) -> Arm:
        """Returns who acts in the next episode."""
        learners = self.learners
        new = [arm for arm in learners if not arm.judged]
        if new:
            return min(new, key=lambda one: len(one.returns))
        if self._leader not in learners:
            self._leader = max(learners, key=lambda arm: arm.mean)
        leader = self._leader
        assert leader is not None
        for arm in learners:
            if arm.mean - arm.error > leader.mean:
                self._leader = leader = arm
        others = [arm for arm in learners if arm is not leader]
        if others and len(self._past) % _PROBED == 0:
            return others[0]
        return leader

    def earned(self, arm: Arm, episode_return: float, steps: int) -> bool:
        """Takes note of an episode; returns what `Arm.earned` does."""
        self._past.append(arm.name)
        as_good = arm.earned(episode_return, steps)
        self._judge()
        return as_good

    @property
    def best(self) -> Arm:
        """Who would be the answer now: mapped, unless a learner is clearly above it."""
        mapped = [arm for arm in self.arms if arm.name == "mapped"]
        judged = [arm for arm in self.arms if arm.judged and arm.answer is not None]
        learners = [arm for arm in judged if arm.name != "mapped"]
        first = max(learners, key=lambda arm: arm.answer_mean, default=None)
        if first is None:
            return mapped[0] if mapped else self.arms[0]
        if mapped and first.answer_mean - first.error <= mapped[0].answer_mean:
            return mapped[0]
        return first

    def _judge(self) -> None:
        """Drops a learner that is measurably behind another."""
        learners = self.learners
        if len(learners) < 2 or sum(arm.steps for arm in self.arms) < (
            _CHANCE * self.steps
        ):
            return
        for arm in learners:
            if len(arm.returns) < _WINDOW or len(arm.returns) < arm.looked + _LEAST:
                continue
            others = [one for one in learners if one is not arm]
            rival = max(others, key=lambda one: one.mean)
            if len(rival.returns) < _WINDOW:
                continue
            arm.looked = len(arm.returns)
            worse = beats(rival.window, arm.window, _CONFIDENCE).better
            arm.behind = arm.behind + 1 if worse else 0
            if arm.behind >= _BEHIND:
                arm.dropped = (
                    f"{arm.mean:.1f} against {rival.mean:.1f} of {rival.name} over "
                    f"the last {_WINDOW} episodes each, {_BEHIND} times running"
                )
                return
