"""Whether the chosen candidate beats acting at random, with confidence."""

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from rltransfer.alignment.step_plan import BestTrial
from rltransfer.alignment.trials import Trial, Trials
from rltransfer.domain import StickyRandomPolicy
from rltransfer.evaluation import Comparison, beats, episodes_needed


@final
@dataclass(frozen=True, eq=False)
class AcceptanceTest:
    """What the chosen candidate earned on fresh episodes, and acting at random.

    Args:
        random_returns: one for each episode of acting at random.
        returns: one for each episode of the candidate; none of them chose it.
        confidence: needed to accept it.
    """

    random_returns: NDArray[np.float64]
    returns: NDArray[np.float64]
    confidence: float

    @property
    def comparison(self) -> Comparison | None:
        """The test; None where one side has no episode."""
        if not len(self.returns) or not len(self.random_returns):
            return None
        return beats(self.returns, self.random_returns, self.confidence)

    @property
    def accepted(self) -> bool:
        """Whether the candidate may be used."""
        return self.comparison is not None and self.comparison.better

    @property
    def verdict(self) -> str:
        """What the test says, in plain words."""
        sure = f"{100 * self.confidence:g} %"
        if not len(self.random_returns):
            return (
                "refused: the budget ended before one random episode did, so there is "
                "nothing to compare with; raise -n"
            )
        if self.comparison is None:
            return "refused: the budget left no episode to test with; raise -n"
        figures = (
            f"{self.returns.mean():.1f} over {_episodes(self.returns)} against "
            f"{self.random_returns.mean():.1f} over {len(self.random_returns)} at "
            f"random (p = {self.comparison.p_value:.2g}, {self.comparison.method})"
        )
        if self.accepted:
            return f"accepted: better than random with {sure} confidence: {figures}"
        if self._cut_short:
            return f"refused, too few episodes to decide: {figures}; raise -n"
        return (
            f"refused: not better than random with {sure} confidence: {figures}; train "
            "from scratch, try another source, or raise -n"
        )

    @property
    def _cut_short(self) -> bool:
        """Whether every episode was better, and there were too few of them to tell."""
        needed = episodes_needed(len(self.random_returns), self.confidence)
        ahead = float(self.returns.min()) > float(self.random_returns.max())
        return ahead and len(self.returns) < needed


def _episodes(returns: NDArray[np.float64]) -> str:
    return "1 episode" if len(returns) == 1 else f"{len(returns)} episodes"


def random_to_beat(
    held: NDArray[np.float64],
    single: NDArray[np.float64],
    episodes: int,
    confidence: float,
    fewest: int,
) -> NDArray[np.float64]:
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


def accept(trials: Trials) -> tuple[Trial, AcceptanceTest]:
    """Acts with the best candidate on fresh episodes, and compares.

    How many episodes are aimed at is settled before; where the budget is short, one
    that would not end in time, going by the mean so far, is not begun.
    """
    plan, config = trials.plan, trials.problem.config
    target, chosen = trials.problem.target, trials.ranking[0]
    best = chosen.plan_facts(target.episode_limit)
    single = _random_again(trials, best)
    tested = target.collect(
        chosen.policy,
        purpose="acceptance",
        seed=config.seed_of("acceptance"),
        steps=plan.budget,
        episodes=plan.acceptance_episodes,
        whole=True,
        expected_steps=best.episode_steps,
    )
    returns = tested.returns
    if len(trials.acted) == 1:
        # Nothing was chosen by these: they are as good for a test as any.
        returns = np.concatenate([chosen.rollout.returns, returns])
    random_returns = random_to_beat(
        trials.random_returns,
        single,
        len(returns),
        config.confidence,
        plan.config.fewest_random_episodes,
    )
    return chosen, AcceptanceTest(random_returns, returns, config.confidence)


def _random_again(trials: Trials, best: BestTrial) -> NDArray[np.float64]:
    """Returns random episodes that hold no action, where steps are left over.

    Holding actions may be the better or the worse way to act at random.
    """
    target, seed = trials.problem.target, trials.problem.config.seed_of("random again")
    steps, episodes = trials.plan.random_again(target.meter.used, best)
    if not episodes:
        return np.zeros(0)
    rng = np.random.default_rng(seed)
    return target.collect(
        StickyRandomPolicy(target.actions, rng, longest=1),
        purpose="acceptance",
        seed=seed,
        steps=steps,
        episodes=episodes,
    ).returns
