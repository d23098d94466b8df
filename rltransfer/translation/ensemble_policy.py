"""Several mapped policies that act as one, each with a say of its own in every state.

Member i would take action aᵢ (encoded) in state x. It earned Rᵢ in its trial, W is the
way from random to the best, and eᵢ(x) is how far target steps near x went elsewhere
than its source's model says, through its mapping. Its weight is

    wᵢ(x) ∝ exp(Rᵢ / (τ_R W)) · exp(-min(eᵢ(x), 1) / τ_e),    Σ wᵢ = 1.

The second factor is the responsibility signal of multiple model-based reinforcement
learning (Doya, Samejima, Katagiri & Kawato, Neural Computation 14, 2002): who predicts
better here has more say here. eᵢ(x) is the mean over the nearest steps that were seen.

Two actions agree by k(a, b): of choices 1 where they are equal, else 0; of a box
exp(-‖a - b‖² / (2 m s²)) with its m sides scaled to [-1, 1]. The action with most
weight in agreement leads, and what is done is the mean of those that agree with it:

    a* = a_j,  j = argmax_i Σⱼ wⱼ k(aᵢ, aⱼ),    a = Σ wᵢ k(aᵢ, a*) aᵢ / Σ wᵢ k(aᵢ, a*).

Of choices that is a weighted vote (Wiering & van Hasselt, IEEE SMC-B 38, 2008); of a
box one step of mean shift from the best member (Comaniciu & Meer, PAMI 24, 2002): two
that pull opposite ways are not averaged to standing still. The confidence in x is

    c(x) = Σ wᵢ k(aᵢ, a*), in (0, 1]; 1 where all agree.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, final

import numpy as np
from numpy.typing import NDArray

from rltransfer.domain.policies import State
from rltransfer.errors import InputError
from rltransfer.translation.mapped_policy import MappedPolicy

Array = NDArray[np.float32]
MOST_MEMBERS = 16
"""Each acts in every step: more cost time, and their weights are small."""


@final
@dataclass(frozen=True)
class EnsembleConfig:
    """How many act as one, and how their say is weighed."""

    members: int = 0
    """Most members, those that earned most; 0: no ensemble is made."""
    return_scale: float = 0.2
    """τ_R: part of the way from random to the best by which a member that earns so much
    less has its weight divided by e. Returns of a few episodes are partly luck."""
    error_scale: float = 0.05
    """τ_e: an error of 1 is as bad as predicting no change; so much divides by e. Less
    than τ_R: who earned nothing as a whole may be the one that is right here."""
    width: float = 0.25
    """s: actions this far apart, as a part of half the box, agree by 0.6."""
    neighbours: int = 16
    """Steps seen near a state whose errors are averaged: one step is noisy."""
    remembered: int = 1000
    """Steps that are kept for this at most, evenly spread over all."""

    def __post_init__(self) -> None:
        if self.members == 1 or not 0 <= self.members <= MOST_MEMBERS:
            raise InputError(
                f"ensemble.members is 0 for none, or from 2 to {MOST_MEMBERS}, got "
                f"{self.members}"
            )
        if min(self.return_scale, self.error_scale, self.width) <= 0:
            raise InputError(
                "ensemble.return_scale, error_scale and width must be above 0, got "
                f"{self.return_scale}, {self.error_scale} and {self.width}"
            )
        if min(self.neighbours, self.remembered) < 1:
            raise InputError(
                "ensemble.neighbours and remembered must be at least 1, got "
                f"{self.neighbours} and {self.remembered}"
            )


class Regions(NamedTuple):
    """How well each member explains the target, and where."""

    mean: Array
    """Of the target's observations; shape (observation,)."""
    matrix: Array
    """Brings what is left to white coordinates; shape (observation, observation)."""
    seen: Array
    """White states; shape (step, observation)."""
    errors: Array
    """Relative one-step errors there; shape (member, step)."""

    def errors_at(self, observation: Array, neighbours: int) -> Array:
        """Returns each member's mean error near each row; shape (member, row)."""
        count = min(neighbours, len(self.seen))
        white = (observation - self.mean) @ self.matrix
        squares = np.square(self.seen).sum(axis=1) - 2 * white @ self.seen.T
        near = np.argpartition(squares, count - 1, axis=1)[:, :count]
        mean: Array = np.minimum(self.errors, 1)[:, near].mean(axis=-1)
        return mean


class Say(NamedTuple):
    """What an ensemble makes of some rows."""

    action: Array
    """Encoded, of the target; shape (row, action)."""
    shares: Array
    """Of each member in the action; sums to 1 over members; shape (member, row)."""
    confidence: Array
    """c(x); shape (row,)."""


@final
class EnsemblePolicy:
    """Acts in the target as its members agree to; fits wherever an SB3 model does.

    Args:
        members: at least two, of one target, which look at one observation at a time.
            The mapping of the first stands for all in pictures and tables.
        returns: what each earned, in units of the way from random to the best.
        regions: where each explains the target; None: equally well everywhere.
        config: how their say is weighed.
    """

    def __init__(
        self,
        members: Sequence[MappedPolicy],
        returns: Sequence[float],
        regions: Regions | None,
        config: EnsembleConfig,
    ) -> None:
        if not 2 <= len(members) <= MOST_MEMBERS or len(returns) != len(members):
            raise ValueError(
                f"an ensemble has 2 to {MOST_MEMBERS} members and a return of each, "
                f"got {len(members)} and {len(returns)}"
            )
        if any(one.history.steps > 1 for one in members):
            raise ValueError("members look at one observation, not at several; drop it")
        self.members, self.regions, self.config = tuple(members), regions, config
        self.returns, self.target = tuple(map(float, returns)), members[0].target
        scaled = np.array(returns, np.float64) / config.return_scale
        self._logits = (scaled - scaled.max())[:, None]

    @property
    def lead(self) -> MappedPolicy:
        """The member whose mapping stands for all in pictures and tables."""
        return self.members[0]

    def predict(
        self,
        observation: Any,
        state: State = None,
        episode_start: NDArray[Any] | None = None,
        deterministic: bool = False,
    ) -> tuple[Any, State]:
        """Returns the target action for one observation, or one for each row.

        Args:
            observation: of the target; shape (observation,) or (row, observation).
            state: what the call before returned in the same episodes.
            episode_start: for each row whether its episode begins.
            deterministic: whether the sources' policies may draw.
        """
        states: Any = state or (None,) * len(self.members)
        said = [
            one.predict(observation, own, episode_start, deterministic)
            for one, own in zip(self.members, states, strict=True)
        ]
        after: Any = tuple(own for _, own in said)
        action = self._say(observation, [action for action, _ in said]).action
        single = self.lead.stacked(observation).ndim == 1
        chosen = self.target.decode(action[0] if single else action)
        return chosen, None if all(own is None for own in after) else after

    def say(self, observation: Any) -> Say:
        """Returns what members say where episodes begin, deterministically.

        Args:
            observation: as for `predict`.
        """
        said = [one.predict(observation, None, None, True) for one in self.members]
        return self._say(observation, [action for action, _ in said])

    def confidence(self, observation: Any) -> Any:
        """Returns how much of the say agrees with what is done, in (0, 1].

        Args:
            observation: as for `predict`; of rows the result has shape (row,).
        """
        confidence = self.say(observation).confidence
        single = self.lead.stacked(observation).ndim == 1
        return float(confidence[0]) if single else confidence

    def weights(self, observation: Array) -> Array:
        """Returns w for rows of observations; shape (member, row)."""
        logits = np.broadcast_to(self._logits, (len(self.members), len(observation)))
        if self.regions is not None:
            errors = self.regions.errors_at(observation, self.config.neighbours)
            logits = logits - errors / self.config.error_scale
        weights = np.exp(logits - logits.max(axis=0))
        return np.asarray(weights / weights.sum(axis=0), np.float32)

    def _say(self, observation: Any, said: Sequence[Any]) -> Say:
        rows = np.atleast_2d(self.lead.stacked(observation))
        encoded = [np.atleast_2d(self.target.encode(action)) for action in said]
        actions = np.stack(encoded).astype(np.float32)
        weights = self.weights(rows)
        gaps = np.square(actions[:, None] - actions[None]).mean(axis=-1)
        alike = (
            (gaps == 0).astype(np.float32)
            if self.target.discrete
            else np.exp(-gaps / (2 * self.config.width**2))
        )
        # To a few digits, so that equal ones are equal: the first of them leads.
        leads = np.einsum("ijr,jr->ir", alike, weights).round(6).argmax(axis=0)
        agreeing = weights * alike[:, leads, np.arange(len(rows))]
        confidence = agreeing.sum(axis=0)
        shares = agreeing / confidence
        action = np.einsum("ir,ira->ra", shares, actions)
        return Say(action, shares, np.minimum(confidence, 1))
