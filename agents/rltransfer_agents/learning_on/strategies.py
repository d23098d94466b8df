"""What a strategy makes of the mapped policy while a student learns."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal, final

import numpy as np
from numpy.typing import NDArray

from rltransfer.domain import Domain, Policy
from rltransfer.domain.policies import State
from rltransfer.translation import MappedPolicy
from rltransfer_agents.learning_on.learner import Guidance, Learner
from rltransfer_agents.learning_on.replay import Units
from rltransfer_agents.learning_on.source_networks import Takes


@final
@dataclass(frozen=True)
class Strategy:
    """How the mapped policy takes part, beside filling the replay."""

    hold: float = 0.0
    """First weight of the pull to its actions; see `Pull`."""
    eased_by: Literal["returns", "ratio"] = "returns"
    filtered: float = 0.0
    """Weight of the pull where the critic rates its actions higher (Nair et al., ICRA
    2018)."""
    bootstraps: bool = False
    """Whether its action bootstraps where it is rated higher (IBRL)."""
    acts: Literal["never", "higher", "first"] = "never"
    """When it acts in an episode of the student: where its action is rated higher
    (IBRL), or for the first steps, fewer and fewer (jump-start)."""
    clones: bool = True
    """Whether the student begins as its clone."""
    takes: Takes | None = None
    """What of the source's networks the student's begin with."""
    shapes: bool = False
    """Whether the source's value shapes the rewards; see `potential`."""
    worth: float = -np.inf
    """Share of the way from the lowest return seen to the threshold that the mapped
    policy must have come for a student to be begun; below it is only an arm."""

    def not_worth(self, mean: float, way: float, solved: float) -> str:
        """Returns why a student is not begun, in plain words."""
        if not np.isfinite(mean):
            return "not begun: no episode of the mapped policy ended"
        return (
            f"not begun: {mean:.1f} of the mapped policy is {way:.0%} of the way from "
            f"the lowest return of alignment to {solved:g}, and below {self.worth:.0%} "
            "scratch learns faster from the same rows"
        )


_WORTH = 2 / 3
"""Measured on spoilt mappings, where a clone of a bad policy held learning back."""

STRATEGIES: Mapping[str, Strategy] = MappingProxyType(
    {
        "hold": Strategy(
            hold=1.0, filtered=1.0, bootstraps=True, acts="higher", worth=_WORTH
        ),
        # Hu et al., "Imitation Bootstrapped Reinforcement Learning", RSS 2024.
        "ibrl": Strategy(bootstraps=True, acts="higher"),
        # Schmitt et al., 2018; the weight as in Agarwal et al., "Reincarnating
        # Reinforcement Learning" (QDagger), NeurIPS 2022.
        "kickstart": Strategy(hold=2.0, eased_by="ratio"),
        # Uchendu et al., "Jump-Start Reinforcement Learning", ICML 2023.
        "jumpstart": Strategy(acts="first", clones=False),
        # Vecerik et al., 2017, and Ball et al., "RLPD", ICML 2023, without their ratio.
        "prefill": Strategy(clones=False),
        # The usual fine-tuning, which knows no mapping: a control.
        "finetune": Strategy(clones=False, takes="networks"),
        # Rusu et al., "Progressive Neural Networks", 2016.
        "features": Strategy(takes="features"),
        # Ng, Harada & Russell, "Policy Invariance under Reward Transformations", ICML
        # 1999.
        "value": Strategy(shapes=True),
        "scratch": Strategy(clones=False),
    }
)
"""The first is the default; `scratch` has no student."""


def way_to_solved(mean: float, floor: float, solved: float) -> float:
    """Returns the share of the way to `solved` that a mean return has come.

    Args:
        mean: of a policy.
        floor: the lowest return seen, where the way begins.
        solved: mean return that counts as solved; where that is no more than `floor`,
            all of the way is done.
    """
    return (mean - floor) / (solved - floor) if solved > floor else 1.0


_EASE, _EASE_UNSOLVED = 500, 100
"""Steps in which the pull falls by a factor of e; it rises twice as fast. The second
where the mapped policy does not solve the target: there is much to gain."""
_NEAR, _ERRORS = 0.1, 2.0
"""Of the way from random actions to the mapped policy, and standard errors of what it
earns in so many episodes: less is no drop."""
_LEAST_PULL = 1e-3
"""Of the first weight."""
_RECENT = 3
"""Episodes by which a drop is seen."""
_STAGES = 10
"""In which the first steps are handed from the mapped policy to the student."""


@final
class Pull:
    """The weight of the pull to the mapped policy, by the student's counted returns.

    It falls while they stay at the mapped policy's, and rises when they drop.

    Args:
        strategy: says where it begins and by what it changes.
        mapped: returns of the mapped policy.
        floor: what acting badly earns.
        length: of an episode of the mapped policy.
        solved: mean return that counts as solved.
    """

    def __init__(
        self,
        strategy: Strategy,
        mapped: Sequence[float],
        floor: float,
        length: float,
        solved: float = -np.inf,
    ) -> None:
        self._strategy, self._floor = strategy, floor
        mean = float(np.mean(mapped)) if len(mapped) else floor
        self._way = max(mean - floor, 0.0)
        luck = _ERRORS * float(np.std(mapped)) / _RECENT**0.5 if len(mapped) else 0.0
        self._bar = mean - _NEAR * self._way - luck
        self._ease = _EASE if mean >= solved else _EASE_UNSOLVED
        self.weight, self.first_steps = strategy.hold, 0
        if strategy.acts == "first":
            self.first_steps = round(length)
            self._stage = max(1, round(length / _STAGES))
        self._recent: list[float] = []

    def earned(self, episode_return: float, steps: int) -> None:
        """Takes note of an episode of the student."""
        self._recent = [*self._recent[1 - _RECENT :], episode_return]
        mean, hold = float(np.mean(self._recent)), self._strategy.hold
        holds = mean >= self._bar
        if self._strategy.eased_by == "ratio":
            share = (mean - self._floor) / self._way if self._way else 1.0
            self.weight = hold * float(np.clip(1 - share, 0, 1))
        else:
            change = (-1 if holds else 2) * min(steps / self._ease, 10.0)
            # It must not fall so far that it cannot rise again.
            lowest = _LEAST_PULL * hold
            self.weight = float(np.clip(self.weight * np.exp(change), lowest, hold))
        if holds and self.first_steps:
            self.first_steps = max(0, self.first_steps - self._stage)

    @property
    def guidance(self) -> Guidance:
        """What the mapped policy has to say in an update now."""
        strategy = self._strategy
        filtered, bootstraps = strategy.filtered, strategy.bootstraps
        return Guidance(self.weight, filtered, bootstraps, strategy.shapes)


def _remembered(
    mapped: Policy,
    observation: Any,
    before: State,
    action: NDArray[np.float32],
    after: State,
) -> State:
    """Returns the state `after` of a policy, with the action that was really taken."""
    if not isinstance(mapped, MappedPolicy) or mapped.history.steps == 1:
        return after
    shown = np.asarray(observation, np.float32)
    memory = mapped.history.recalled(shown, before[0] if before else None, None)
    stack = np.concatenate([shown, memory], axis=-1)
    return (mapped.history.after(stack, action), *(after or ())[1:])


@final
class Exploring:
    """Acts as a learner explores, and where the strategy says so as mapped.

    Args:
        learner: who learns from it.
        units: in which it sees the target.
        domain: the target.
        rng: draws the noise; the policy's state is where it stands.
        mapped: what may act too, if anything.
        strategy: when that acts.
        pull: for how many first steps.
    """

    def __init__(
        self,
        learner: Learner,
        units: Units,
        domain: Domain,
        rng: np.random.Generator,
        mapped: Policy | None = None,
        strategy: Strategy | None = None,
        pull: Pull | None = None,
    ) -> None:
        self._learner, self._units, self._domain = learner, units, domain
        self._rng, self._pull = rng, pull
        self._acts = "never" if strategy is None else strategy.acts
        rated = learner.rates_actions and not domain.actions.discrete
        if self._acts == "higher" and not rated:
            # The best choice is never rated below the mapped policy's: only what is
            # drawn would be, and without drawing nothing new is seen.
            self._acts = "never"
        self._mapped = None if self._acts == "never" else mapped
        self._steps = 0

    def predict(
        self,
        observation: Any,
        state: State = None,
        episode_start: NDArray[Any] | None = None,
        deterministic: bool = False,
    ) -> tuple[Any, State]:
        """Returns an action for one observation; no state: an episode begins."""
        del episode_start, deterministic
        if state is None:
            self._learner.begin_episode(self._rng)
            self._steps = 0
        self._steps += 1
        seen = self._units.standard(np.asarray(observation, np.float32))
        action = self._learner.explore(seen, self._rng)
        inner: State = None
        if self._mapped is not None:
            known = None if state is None else state[1:] or None
            chosen, inner = self._mapped.predict(observation, known, None, True)
            offered = np.asarray(self._domain.actions.encode(chosen), np.float32)
            if self._prefers(seen, offered, action):
                action = offered
            inner = _remembered(self._mapped, observation, known, action, inner)
        return self._domain.actions.decode(action), (np.zeros(1), *(inner or ()))

    def _prefers(self, seen: Any, offered: Any, own: Any) -> bool:
        if self._acts == "first":
            return self._pull is not None and self._steps <= self._pull.first_steps
        return self._learner.prefers(seen, offered, own)

    def state(self) -> dict[str, Any]:
        """Returns where the noise stands."""
        return {"generator": self._rng.bit_generator.state}

    def load_state(self, state: dict[str, Any]) -> None:
        """Goes on from there."""
        self._rng.bit_generator.state = state["generator"]
