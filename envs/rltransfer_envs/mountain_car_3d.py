"""Mountain Car 3D, by Taylor, Kuhlmann & Stone (AAMAS 2008).

The car is in a bowl instead of a valley. Along each axis it moves as the car of two
dimensions does, but its one motor pushes along one axis at a time, and the goal is the
corner where both are far enough.
"""

from typing import Any, final

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray
from typing_extensions import override

_LEAST, _MOST, _GOAL = -1.2, 0.6, 0.5
"""Of a position."""
_FASTEST = 0.07
_FORCE, _GRAVITY = 0.001, 0.0025
_START = (-0.6, -0.4)
"""As in Gymnasium's car, about the bottom; the paper starts at one point."""
_PUSHES = np.array([[0, 0], [-1, 0], [1, 0], [0, -1], [0, 1]], np.float64)
"""By action: neutral, west, east, south, north."""


@final
class MountainCar3D(gym.Env[NDArray[np.float32], Any]):
    """Observations are x, y and their velocities; every step costs 1."""

    def __init__(self, *, render_mode: None = None) -> None:
        self.metadata, self.render_mode = {"render_modes": []}, render_mode
        farthest = np.array([_MOST, _MOST, _FASTEST, _FASTEST], np.float32)
        nearest = np.array([_LEAST, _LEAST, -_FASTEST, -_FASTEST], np.float32)
        self.observation_space = spaces.Box(nearest, farthest)
        self.action_space = spaces.Discrete(len(_PUSHES))
        self._position, self._velocity = np.zeros(2), np.zeros(2)

    @override
    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        super().reset(seed=seed)
        self._position = self.np_random.uniform(*_START, size=2)
        self._velocity = np.zeros(2)
        return self._observation(), {}

    @override
    def step(
        self, action: Any
    ) -> tuple[NDArray[np.float32], float, bool, bool, dict[str, Any]]:
        pull = -_GRAVITY * np.cos(3 * self._position)
        velocity = self._velocity + _FORCE * _PUSHES[int(action)] + pull
        velocity = np.clip(velocity, -_FASTEST, _FASTEST)
        self._position = np.clip(self._position + velocity, _LEAST, _MOST)
        # The walls behind the car stop it, as in two dimensions.
        against_wall = (self._position == _LEAST) & (velocity < 0)
        self._velocity = np.where(against_wall, 0.0, velocity)
        there = bool((self._position >= _GOAL).all())
        return self._observation(), -1.0, there, False, {}

    def _observation(self) -> NDArray[np.float32]:
        seen = np.concatenate([self._position, self._velocity])
        return seen.astype(np.float32)
