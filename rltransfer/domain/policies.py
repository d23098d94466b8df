"""Policies: what every agent offers, and those that explore."""

from typing import Any, Protocol, final, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from rltransfer.domain.action_codec import ActionCodec

State = tuple[NDArray[Any], ...] | None


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
