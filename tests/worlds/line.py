"""A point on a line that is to be brought to 0: as small as a world can be."""

from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from tests.worlds.points import Chooser

Observation = NDArray[np.float32]


class Line(gym.Env[Observation, Any]):
    """Pushed left or right; a step costs the distance that is left.

    Args:
        continuous: whether the push is a number from -2 to 2 instead of a side.
        limit: steps after which an episode is truncated.
        start: where every episode begins; None where that is drawn.
    """

    def __init__(
        self, *, continuous: bool = True, limit: int = 20, start: float | None = None
    ) -> None:
        self.observation_space = gym.spaces.Box(-2.0, 2.0, (1,), np.float32)
        self.action_space = (
            gym.spaces.Box(-2.0, 2.0, (1,), np.float32)
            if continuous
            else gym.spaces.Discrete(2)
        )
        self._continuous, self._limit, self._start = continuous, limit, start
        self._at, self._steps = 0.0, 0

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        super().reset(seed=seed)
        drawn = self.np_random.choice([-1, 1]) * self.np_random.uniform(0.5, 1.0)
        self._at = float(drawn) if self._start is None else self._start
        self._steps = 0
        return self._shown(), {}

    def step(
        self, action: Any
    ) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        push = float(action[0]) / 2 if self._continuous else 2.0 * int(action) - 1
        self._at = float(np.clip(self._at + 0.25 * push, -2.0, 2.0))
        self._steps += 1
        over = self._steps >= self._limit
        return self._shown(), -abs(self._at), False, over, {}

    def _shown(self) -> Observation:
        return np.array([self._at], np.float32)


class HalfLine(Line):
    """A line whose motor is reversed on one side of 0.

    Args:
        side: where it is not: 1 or -1.
    """

    def __init__(self, side: float) -> None:
        super().__init__()
        self._side = side

    def step(
        self, action: Any
    ) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        reversed_here = self._at * self._side < 0
        return super().step(-np.asarray(action) if reversed_here else action)


def homeward(continuous: bool = True, way: float = 1.0) -> Chooser:
    """Returns who brings the point to 0 as fast as can be.

    Args:
        continuous: as of the world.
        way: -1 for who takes it away instead.
    """
    if continuous:
        return Chooser(lambda seen: np.clip(-8 * way * seen, -2, 2).astype(np.float32))
    return Chooser(lambda seen: (way * seen[..., 0] < 0).astype(np.int64))
