"""Finite worlds with known answers: a ring of numbered states, and it renumbered."""

from typing import Any

import gymnasium as gym
import numpy as np


class Ring(gym.Env[np.int64, Any]):
    """States in a ring; actions go on, go back and stay. The last state ends and pays.

    Args:
        states: in the ring.
        slip: probability that an action does nothing.
        traps: whether going back from the first state ends without pay; without, the
            ring is its own mirror image but for what the last state pays.
    """

    def __init__(self, states: int = 6, slip: float = 0.0, traps: bool = True) -> None:
        self.observation_space = gym.spaces.Discrete(states)
        self.action_space = gym.spaces.Discrete(3)
        self._states, self._slip, self._traps = states, slip, traps
        self._place = 0

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        self._place = 0
        return np.int64(0), {}

    def step(self, action: Any) -> Any:
        # As tables do: an action must be a number that can be looked up.
        move = {0: 1, 1: -1, 2: 0}[action]
        if self.np_random.random() < self._slip:
            move = 0
        trapped = self._traps and self._place + move < 0
        self._place = (self._place + move) % self._states
        home = self._place == self._states - 1
        ended = home or trapped
        return np.int64(self._place), float(home and not trapped), ended, False, {}


class OnPolicy:
    """Goes on round the ring: the first action, whatever is seen."""

    def predict(
        self, observation: Any, state: Any = None, *_: Any, **__: Any
    ) -> tuple[Any, Any]:
        assert np.asarray(observation).dtype.kind in "iu"
        return np.array(0), state
