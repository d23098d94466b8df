"""Learning on that acts and counts as the real one does, and learns nothing."""

from typing import Any, final

import numpy as np

from rltransfer.alignment import AcceptanceTest
from rltransfer.domain import Domain, Policy, StickyRandomPolicy, Transitions
from rltransfer_agents.learning_on import (
    NOTHING_KNOWN,
    ArmRecord,
    CurvePoint,
    KnownReturns,
    LearnedOn,
    LearningWatcher,
    LearnOnConfig,
)
from rltransfer_agents.learning_on.mapped_start import Refit

_KEPT = 60
"""Steps for the final comparison."""


@final
class FakeLearning:
    """Keeps what it was asked; the mapped policy is all that comes out of it."""

    def __init__(self) -> None:
        self.experience: Transitions | None = None
        self.config: LearnOnConfig | None = None
        self.tested = NOTHING_KNOWN
        self.test: AcceptanceTest | None = None

    def __call__(
        self,
        target: Domain,
        mapped: Policy | None,
        experience: Transitions,
        config: LearnOnConfig,
        watch: LearningWatcher | None = None,
        tested: KnownReturns = NOTHING_KNOWN,
        test: AcceptanceTest | None = None,
        refit: Refit | None = None,
    ) -> LearnedOn:
        del refit
        self.tested, self.test = tested, test
        assert mapped is not None and watch is not None
        self.experience, self.config = experience, config
        rng, until = np.random.default_rng(config.seed), target.budget.used
        until += config.steps
        random = StickyRandomPolicy(target.actions, rng, longest=1)
        curve: list[CurvePoint] = []

        def measure() -> None:
            shown = target.report(
                mapped,
                episodes=config.evaluation_episodes,
                seed=config.evaluation_seed,
            )
            returns, lengths = shown.returns.tolist(), shown.lengths.tolist()
            used = target.budget.used
            curve.append(CurvePoint(used, "mapped", tuple(returns), tuple(lengths)))
            watch.evaluated(curve[-1])

        def act(purpose: str, steps: int, episodes: int | None) -> Any:
            seed = int(rng.integers(2**31))
            how: dict[str, Any] = {"steps": steps, "episodes": episodes}
            return target.collect(random, purpose=purpose, seed=seed, **how)

        measure()
        while (left := until - target.budget.used - _KEPT) > 0:
            earned = act("learning", left, 1).mean_return
            watch.learned({"rollout/ep_rew_mean": earned}, target.budget.used)
        last = act("final comparison", _KEPT, None)
        measure()
        finals = tuple(last.returns.tolist())
        arm = ArmRecord("mapped", 0, 0, None, finals, None)
        passed = test and test.followed_by([1e6] * test.missing)
        what = "mapped", mapped, None, tuple(curve), (arm,), "nothing else"
        return LearnedOn(*what, passed)
