"""Steps of a finite world as counts: what followed which action, and how often."""

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, final

import numpy as np
from jaxtyping import Float64, Int64
from numpy.typing import NDArray
from scipy.sparse import csr_array

from rltransfer.domain import Transitions

_DIGITS = 3
"""Of rewards, in standard units: equal ones may have been rounded differently."""


class Outcome(NamedTuple):
    """What can be told of a step without a number of a state."""

    terminated: bool
    stayed: bool
    """Whether it led to where it began."""
    reward: float | None
    """None where rewards are not compared."""


@final
@dataclass(frozen=True, eq=False)
class CountedSteps:
    """What was seen of a finite world.

    Args:
        states: how many there may be.
        actions: likewise.
        counts: of each action and outcome how often it led from a state to another;
            shape (state, next state).
        begun: how often an episode began in each state.
    """

    states: int
    actions: int
    counts: dict[tuple[int, Outcome], csr_array]
    begun: Float64[np.ndarray, " state"]

    @classmethod
    def of(cls, rows: Transitions, rewards: bool) -> "CountedSteps":
        """Returns the counts of `rows`, whose observations and actions are one-hot.

        Args:
            rows: of whole episodes, or of their beginnings.
            rewards: whether a step's reward is part of its outcome.
        """
        states, actions = rows.observation.shape[1], rows.action.shape[1]
        before, action, after = (
            part.argmax(dim=1).numpy()
            for part in (rows.observation, rows.action, rows.next_observation)
        )
        ended, reward = rows.terminated.numpy(), rounded_rewards(rows)
        first = np.ones(len(before), bool)
        first[1:] = np.diff(rows.episode.numpy()) != 0
        begun = np.bincount(before[first], minlength=states).astype(np.float64)
        told = reward if rewards else np.zeros_like(reward)
        kinds = np.stack([action, ended, before == after, told], axis=1)
        distinct, kind = np.unique(kinds, axis=0, return_inverse=True)
        counts = {}
        for place, (chosen, terminated, stayed, paid) in enumerate(distinct.tolist()):
            own = kind.reshape(-1) == place
            table = csr_array(
                (np.ones(own.sum()), (before[own], after[own])), (states, states)
            )
            table.sum_duplicates()
            outcome = Outcome(bool(terminated), bool(stayed), paid if rewards else None)
            counts[int(chosen), outcome] = table
        return cls(states, actions, counts, begun)

    @cached_property
    def tried(self) -> Float64[np.ndarray, "state action"]:
        """How often each action was taken in each state."""
        tried = np.zeros((self.states, self.actions))
        for (action, _), table in self.counts.items():
            tried[:, action] += table.sum(axis=1)
        return tried

    @cached_property
    def seen(self) -> Int64[np.ndarray, " seen"]:
        """Numbers of the states that were seen, in their order."""
        visits = self.tried.sum(axis=1) + self.begun
        for table in self.counts.values():
            visits += table.sum(axis=0)
        return np.flatnonzero(visits)

    def habits(self, action: int) -> dict[Outcome, float]:
        """Returns the mean probability of each outcome, over states that showed it."""
        tried = self.tried[:, action]
        states = max(1, int(np.count_nonzero(tried)))
        return {
            outcome: float((table.sum(axis=1) / np.maximum(tried, 1)).sum()) / states
            for (own, outcome), table in self.counts.items()
            if own == action
        }


def rounded_rewards(rows: Transitions) -> NDArray[np.float64]:
    """Returns rewards as they are compared."""
    reward: NDArray[np.float64] = rows.reward.double().numpy().round(_DIGITS)
    return reward + 0.0  # no negative zero
