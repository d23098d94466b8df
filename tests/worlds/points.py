"""A point that is pushed home, and what can go wrong with an environment."""

from collections.abc import Callable
from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

Observation = NDArray[np.float32]


class Point(gym.Env[Observation, Any]):
    """Pushed east, north, west or south; drifts east; a step costs the distance left.

    Args:
        sensors: matrix that positions are shown through.
        continuous: whether the push is a vector instead of one of four.
        limit: steps after which an episode is truncated.
        radius: of home.
        start: number of the first push.
    """

    MOVES = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]])

    def __init__(
        self,
        sensors: Any = ((1.0, 0.0), (0.0, 1.0)),
        *,
        continuous: bool = False,
        limit: int = 20,
        radius: float = 0.4,
        start: int = 0,
    ) -> None:
        self._sensors = np.array(sensors)
        size = len(self._sensors)
        self.observation_space = gym.spaces.Box(-np.inf, np.inf, (size,), np.float32)
        self.action_space = (
            gym.spaces.Box(-2.0, 2.0, (2,), np.float32)
            if continuous
            else gym.spaces.Discrete(4, start=start)
        )
        self._continuous, self._limit = continuous, limit
        self._radius, self._start = radius, start
        self._position, self._steps = np.zeros(2), 0

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        super().reset(seed=seed)
        self._position, self._steps = self.np_random.uniform(-1.0, 1.0, size=2), 0
        return self._shown(), {}

    def step(
        self, action: Any
    ) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        push = (
            np.asarray(action) / 2
            if self._continuous
            else self.MOVES[int(action) - self._start]
        )
        self._position = self._position + 0.25 * push + np.array([0.05, 0.0])
        self._steps += 1
        distance = float(np.linalg.norm(self._position))
        return (
            self._shown(),
            -distance,
            distance < self._radius,
            self._steps >= self._limit,
            {},
        )

    def _shown(self) -> Observation:
        return (self._sensors @ self._position).astype(np.float32)


class Chooser:
    """A policy without a state.

    Args:
        choose: from one observation or many to as many actions.
    """

    def __init__(self, choose: Callable[[Any], Any]) -> None:
        self._choose = choose

    def predict(
        self,
        observation: Any,
        state: Any = None,
        episode_start: Any = None,
        deterministic: bool = False,
    ) -> tuple[Any, Any]:
        return self._choose(np.asarray(observation)), state


class Home:
    """Pushes a point shown as it is towards the origin."""

    def predict(
        self,
        observation: Any,
        state: Any = None,
        episode_start: Any = None,
        deterministic: bool = False,
    ) -> tuple[Any, Any]:
        gains = np.asarray(observation) @ Point.MOVES.T
        return (-gains).argmax(axis=-1), state


class Broken(Point):
    """Does something wrong at a step.

    Args:
        fault: what goes wrong.
        at: the step at which it does, counted from 1.
    """

    def __init__(self, fault: str, at: int) -> None:
        super().__init__()
        self._fault, self._at, self._taken = fault, at, 0

    def step(
        self, action: Any
    ) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        observation, reward, terminated, truncated, info = super().step(action)
        self._taken += 1
        if self._taken == self._at:
            if self._fault == "observation":
                observation = np.array([0.0, np.nan], np.float32)
            elif self._fault == "infinite":
                observation = np.array([np.inf, 0.0], np.float32)
            elif self._fault == "shape":
                observation = np.zeros(3, np.float32)
            elif self._fault == "reward":
                reward = float("nan")
            elif self._fault == "raise":
                raise RuntimeError("the motor burnt")
        return observation, reward, terminated, truncated, info
