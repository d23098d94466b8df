"""Counted episodes of learning on: who is judged begins where all others did."""

from typing import final

import numpy as np

from rltransfer.domain import Domain, Policy, Rollout
from rltransfer.random_streams import INTEGER_SEEDS
from rltransfer_agents.learning_on.guard import FIRST_JUDGED, Arm, start_of


@final
class Episodes:
    """Acts in the target, an episode at a time, which the budget may cut off.

    Args:
        target: counts every step.
        resets: draws where episodes begin.
    """

    def __init__(self, target: Domain, resets: np.random.Generator) -> None:
        self.target, self._resets = target, resets
        self._starts = resets.integers(INTEGER_SEEDS, size=(_LOOKS, FIRST_JUDGED))

    def explored(self, policy: Policy, steps: int) -> Rollout:
        """Returns an episode that is for learning, at a start of its own."""
        return self._acted(policy, steps, self.seed())

    def judged(self, arm: Arm, policy: Policy, steps: int) -> Rollout:
        """Returns an episode to judge an arm by; where it begins depends on no arm."""
        look, place = start_of(len(arm.own))
        start = self._starts[look % len(self._starts), place]
        return self._acted(policy, steps, int(start))

    def shown(self, arm: Arm, steps: int) -> Rollout:
        """Returns an episode of an arm's answer, of which the arm takes note."""
        rollout = self.judged(arm, arm.answer.policy, steps)
        arm.acted(len(rollout.transitions), rollout.returns.tolist())
        arm.answer.returns += rollout.returns.tolist()
        return rollout

    def seed(self) -> int:
        """Returns a seed of a reset that no other episode has."""
        return int(self._resets.integers(INTEGER_SEEDS))

    def _acted(self, policy: Policy, steps: int, seed: int) -> Rollout:
        return self.target.collect(
            policy, purpose="learning", seed=seed, steps=steps, episodes=1
        )


_LOOKS = 1_000
"""After which the first starts come again."""
