"""Whether the mapped policy is accepted, told by its episodes while learning goes on.

Alignment leaves its acceptance test to these: what the mapped policy earns is counted
in any case, so the test costs nothing, and learning can begin at once.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import final

import numpy as np

from rltransfer.alignment import (
    AcceptanceTest,
    AlignConfig,
    holding,
    holding_helps,
    random_to_beat,
)
from rltransfer.domain import Domain, Rollout, StickyRandomPolicy
from rltransfer.evaluation import beats
from rltransfer.random_streams import INTEGER_SEEDS

_LEAST_RANDOM = 3
"""Random episodes that the mapped policy is compared with: three of its own are enough
then. With two it would need five, with one nineteen."""
_DOUBT = 0.75
"""That it beats random actions; where that is less likely it is out at once."""


@final
class Admission:
    """The acceptance test of a mapped policy, decided once, at the end of learning.

    Before, it can only be lost: a look that may accept, beside the one at the end,
    would be a second chance to look good by luck.

    Args:
        test: as alignment left it; None for a policy that is accepted.
        most: steps of the mapped policy that may decide it at the end.
    """

    def __init__(self, test: AcceptanceTest | None, most: int) -> None:
        self.test, self._most = test, most
        self._held = np.zeros(0) if test is None else test.random_returns

    @property
    def longest(self) -> int | None:
        """Steps of an episode that could still be accepted; None: of any length."""
        return None if self.test is None else self._most

    def acted(self, returns: Sequence[float]) -> None:
        """Takes note of episodes of the mapped policy; none of them chose it."""
        if self.test is not None:
            self.test = self.test.followed_by(returns)

    def act_at_random(
        self, target: Domain, steps: int, seed: int, rng: np.random.Generator
    ) -> Rollout | None:
        """Acts at random where too few such episodes are known to compare with.

        Args:
            target: where.
            steps: the most.
            seed: of the first reset.
            rng: draws the actions.
        """
        test = self.test
        missing = 0 if test is None else _LEAST_RANDOM - len(test.random_returns)
        if test is None or missing <= 0:
            return None
        rollout = target.collect(
            holding(target, AlignConfig(), rng),
            purpose="learning",
            seed=seed,
            steps=steps,
            episodes=missing,
        )
        self.test = test.followed_by(random_returns=rollout.returns.tolist())
        self._held = self.test.random_returns
        return rollout

    def act_singly(
        self, target: Domain, episodes: int, steps: int, rng: np.random.Generator
    ) -> None:
        """Acts at random in the other way: with a new action at every step.

        The mapped policy has to beat the better one, as without learning on.

        Args:
            target: where.
            episodes: the most that fit.
            steps: the most.
            rng: draws the actions and the first reset.
        """
        test = self.test
        if test is None or episodes < 1 or not holding_helps(target):
            return
        single = target.collect(
            StickyRandomPolicy(target.actions, rng, longest=1),
            purpose="final comparison",
            seed=int(rng.integers(INTEGER_SEEDS)),
            steps=steps,
            episodes=min(episodes, _LEAST_RANDOM),
        ).returns
        beaten = random_to_beat(
            *(self._held, single, len(test.returns), test.confidence, _LEAST_RANDOM)
        )
        self.test = replace(test, random_returns=beaten)

    @property
    def behind(self) -> bool:
        """Whether an episode of too few was no better than all random ones."""
        test = self.test
        return test is not None and not test.decides and not test.open

    @property
    def lost(self) -> bool:
        """Whether its episodes say already that it will hardly be accepted."""
        test = self.test
        if test is None or not test.decides:
            return self.behind
        return not beats(test.returns, test.random_returns, _DOUBT).better

    @property
    def verdict(self) -> str | None:
        """What the test says so far; None where there is none."""
        return None if self.test is None else self.test.verdict

    def outranks(self, returns: Sequence[float]) -> bool:
        """Returns whether these are above all random episodes that are known."""
        known = np.zeros(0) if self.test is None else self.test.random_returns
        return bool(len(returns)) and min(returns) > known.max(initial=-np.inf)

    def hopeless(self, episode_steps: float) -> bool:
        """Returns whether the mapped policy can hardly be accepted any more.

        Args:
            episode_steps: of the mapped policy, on average.
        """
        test = self.test
        if test is None or test.decides:
            return self.lost
        known = len(test.random_returns) > 0
        return self.behind or not known or not self._affords(episode_steps)

    def steps(self, episode_steps: float) -> int:
        """Returns steps of the mapped policy without which it can't be accepted.

        Args:
            episode_steps: of it, on average.

        Returns:
            0 where they would be too many: then it is not accepted.
        """
        if self.test is None or not self._affords(episode_steps):
            return 0
        return round(self.test.missing * episode_steps)

    def _affords(self, episode_steps: float) -> bool:
        """Returns whether its own steps may be enough to decide."""
        test = self.test
        return test is None or round(test.missing * episode_steps) <= self._most

    @property
    def accepted(self) -> bool:
        """Whether it is accepted; to be asked once all have acted."""
        return self.test is None or bool(self.test.accepted)
