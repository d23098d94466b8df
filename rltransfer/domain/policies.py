"""Policies: what every agent offers, what some remember, and those that explore."""

from dataclasses import dataclass, replace
from typing import Any, Protocol, final, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float32
from numpy.typing import NDArray

from rltransfer.domain.action_codec import ActionCodec
from rltransfer.mapping import Transitions

State = tuple[NDArray[Any], ...] | None
Memory = NDArray[np.float32]


@runtime_checkable
class Policy(Protocol):
    """Whatever chooses actions the way a Stable-Baselines3 model does."""

    def predict(
        self,
        observation: Any,
        state: State = None,
        episode_start: NDArray[Any] | None = None,
        deterministic: bool = False,
    ) -> tuple[Any, State]:
        """Returns the action for `observation`, and the state of a recurrent policy."""
        ...


@runtime_checkable
class StatefulPolicy(Protocol):
    """A policy whose actions do not follow from the observation alone."""

    def state(self) -> dict[str, Any]:
        """Returns what else its next action follows from, as JSON."""
        ...

    def load_state(self, state: dict[str, Any]) -> None:
        """Continues from what `state` returned."""
        ...


def policy_state(policy: Policy) -> dict[str, Any] | None:
    """Returns the state of `policy`, None where it has none."""
    return policy.state() if isinstance(policy, StatefulPolicy) else None


@final
@dataclass(frozen=True)
class History:
    """Stacks an observation upon those before it.

    A stack holds the last observations, the newest first, and then the encoded actions
    between them, likewise. Where an episode has only begun, its first observation
    stands for those that are missing, and zeros stand for the actions.

    Args:
        steps: observations in a stack; 1 stacks nothing.
        observation: numbers in each.
        action: numbers in each encoded action.
    """

    steps: int
    observation: int
    action: int

    @property
    def size(self) -> int:
        """Numbers in a stack."""
        return self.steps * self.observation + (self.steps - 1) * self.action

    def begun(
        self, observation: Float32[Memory, "*row observation"]
    ) -> Float32[Memory, "*row memory"]:
        """Returns what is remembered before the first step of an episode."""
        shape = (*observation.shape[:-1], (self.steps - 1) * self.action)
        actions = np.zeros(shape, np.float32)
        return np.concatenate([observation] * (self.steps - 1) + [actions], axis=-1)

    def recalled(
        self,
        observation: Float32[Memory, "*row observation"],
        memory: Any,
        episode_start: NDArray[Any] | None,
    ) -> Float32[Memory, "*row memory"]:
        """Returns what is remembered at this observation.

        Args:
            observation: that is seen now.
            memory: what `after` returned for the one before; None in the first step.
            episode_start: for each row whether its episode begins now, as SB3 has it.
        """
        begun = self.begun(observation)
        if memory is None:
            return begun
        if np.shape(memory) != begun.shape:
            raise ValueError(
                f"a policy's state goes on for the same rows, {begun.shape} numbers, "
                f"got {np.shape(memory)}: begin with None"
            )
        if episode_start is None:
            return np.asarray(memory, np.float32)
        starts = np.asarray(episode_start, bool).reshape(*begun.shape[:-1], 1)
        return np.where(starts, begun, memory)

    def after(
        self,
        stack: Float32[Memory, "*row stack"],
        action: Float32[Memory, "*row action"],
    ) -> Float32[Memory, "*row memory"]:
        """Returns what is remembered at the next observation.

        Args:
            stack: what was seen and remembered.
            action: taken then, encoded.
        """
        observations, actions = np.split(stack, [self.steps * self.observation], -1)
        kept = observations[..., : (self.steps - 1) * self.observation]
        earlier = actions[..., : (self.steps - 2) * self.action]
        return np.concatenate([kept, action, earlier], axis=-1).astype(np.float32)

    def stacked(self, rows: Transitions) -> Transitions:
        """Returns the steps of whole rollouts with stacks for observations.

        Args:
            rows: episodes whole from their first step on, their steps in order.
        """
        if self.steps == 1:
            return rows
        place = torch.arange(len(rows))
        new = torch.ones(len(rows), dtype=torch.bool)
        new[1:] = rows.episode[1:] != rows.episode[:-1]
        # The row at which the episode of each row began.
        first = torch.where(new, place, 0).cummax(dim=0).values if len(rows) else place
        back = range(1, self.steps)
        seen = [rows.observation[torch.maximum(place - k, first)] for k in back]
        taken = [
            torch.where(
                (place - k >= first)[:, None], rows.action[(place - k).clamp_min(0)], 0
            )
            for k in back
        ]
        now = [rows.observation, *seen[:-1]]
        return replace(
            rows,
            observation=torch.cat([rows.observation, *seen, *taken], dim=1),
            next_observation=torch.cat(
                [rows.next_observation, *now, rows.action, *taken[:-1]], dim=1
            ),
        )


@final
class StickyRandomPolicy:
    """Acts at random, holding each action for a random number of steps.

    The number follows a zeta law, as in temporally extended epsilon-greedy
    exploration (Dabney, Ostrovski & Barreto, ICLR 2021): single random actions
    hardly move a car or a swimmer, long ones alone never fine-tune.

    Args:
        codec: of the actions to draw.
        rng: where the randomness comes from.
        exponent: of the zeta law; larger is shorter.
        longest: most steps that an action is held.
    """

    def __init__(
        self,
        codec: ActionCodec,
        rng: np.random.Generator,
        exponent: float = 1.5,
        longest: int = 32,
    ) -> None:
        self._codec, self._rng = codec, rng
        self._exponent, self._longest = exponent, longest
        self._left = 0
        self._action: Any = None

    def predict(
        self,
        observation: Any,
        state: State = None,
        episode_start: NDArray[Any] | None = None,
        deterministic: bool = False,
    ) -> tuple[Any, State]:
        """Returns the held action, or draws the next one."""
        del observation, episode_start, deterministic
        if self._left <= 0:
            self._action = self._codec.draw(self._rng)
            self._left = min(int(self._rng.zipf(self._exponent)), self._longest)
        self._left -= 1
        return self._action, state

    def state(self) -> dict[str, Any]:
        """Returns the state of the generator and the action that is held."""
        held = np.asarray(self._action)
        return {
            "generator": self._rng.bit_generator.state,
            "left": self._left,
            "action": held.tolist(),
            "dtype": str(held.dtype),
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Continues from the state of such a policy for the same space."""
        self._rng.bit_generator.state = state["generator"]
        self._left, action = state["left"], state["action"]
        # Empty brackets: an action without a shape is a scalar, as it was drawn.
        self._action = np.asarray(action, state["dtype"])[()]


@final
class MixturePolicy:
    """Follows one policy, and another one for a share of the steps.

    Args:
        policy: who acts most of the time, deterministically.
        other: who acts for `share` of the steps.
        share: between 0 and 1.
        rng: decides who acts.
    """

    def __init__(
        self, policy: Policy, other: Policy, share: float, rng: np.random.Generator
    ) -> None:
        self._policy, self._other, self._share, self._rng = policy, other, share, rng

    def predict(
        self,
        observation: Any,
        state: State = None,
        episode_start: NDArray[Any] | None = None,
        deterministic: bool = False,
    ) -> tuple[Any, State]:
        """Returns the action of whichever policy acts in this step."""
        del deterministic
        acting = self._other if self._rng.random() < self._share else self._policy
        return acting.predict(observation, state, episode_start, deterministic=True)

    def state(self) -> dict[str, Any]:
        """Returns the state of the generator and of both policies."""
        return {
            "generator": self._rng.bit_generator.state,
            "policy": policy_state(self._policy),
            "other": policy_state(self._other),
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Continues from the state of a mixture of such policies."""
        self._rng.bit_generator.state = state["generator"]
        for name, policy in (("policy", self._policy), ("other", self._other)):
            if isinstance(policy, StatefulPolicy):
                policy.load_state(state[name])
