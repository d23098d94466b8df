"""The learning curve as it is measured: what the answer is worth, every so many steps.

Its episodes only report: they are not counted, and choose nothing.
"""

from typing import final

from rltransfer.domain import Domain, Policy, Rollout
from rltransfer_agents.learning_on.guard import Arm
from rltransfer_agents.learning_on.learn_on_config import LearnOnConfig
from rltransfer_agents.learning_on.learned import CurvePoint, LearningWatcher


@final
class MeasuredCurve:
    """Measures points of a curve where they are due.

    Args:
        target: its budget says where learning is.
        config: how often, and in which episodes.
        watch: hears of every point.
    """

    def __init__(
        self, target: Domain, config: LearnOnConfig, watch: LearningWatcher | None
    ) -> None:
        self._target, self._config, self._watch = target, config, watch
        self._every = max(1, config.steps // config.points)
        self._next = target.budget.used
        self._measured: tuple[Policy, Rollout] | None = None
        self.points: list[CurvePoint] = []

    def measure(self, best: Arm) -> None:
        """Adds a point if one is due.

        Args:
            best: who would be the answer now.
        """
        used = self._target.budget.used
        if used >= self._next:
            self._next += self._every * (1 + (used - self._next) // self._every)
            self._add(best.answer.policy, best)

    def end(self, policy: Policy, winner: Arm) -> None:
        """Adds the last point, in place of one at the same step."""
        if self.points[-1].target_steps == self._target.budget.used:
            self.points.pop()
        self._add(policy, winner)

    def _add(self, policy: Policy, arm: Arm) -> None:
        used, shown = self._target.budget.used, self._shown(policy)
        returns, lengths = tuple(shown.returns.tolist()), tuple(shown.lengths.tolist())
        self.points.append(CurvePoint(used, arm.name, returns, lengths))
        if self._watch is not None:
            self._watch.evaluated(self.points[-1])

    def _shown(self, policy: Policy) -> Rollout:
        # One policy in the same episodes earns the same.
        if self._measured is None or self._measured[0] is not policy:
            shown = self._target.report(
                policy,
                episodes=self._config.evaluation_episodes,
                seed=self._config.evaluation_seed,
            )
            self._measured = policy, shown
        return self._measured[1]
