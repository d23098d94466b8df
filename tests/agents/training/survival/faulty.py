"""Environments that do what they should not, registered on import."""

import os
import random
import signal
import time
from typing import Any, final

import gymnasium as gym
import numpy as np
from gymnasium import spaces

mended = False
"""Set in a process in which nothing shall go wrong any more."""

EPISODE = 10


class Faulty(gym.Env[Any, Any]):
    """A walk whose episodes have ten steps.

    Args:
        fault: what goes wrong.
        at: number of the step, counted over all episodes from 1.
        discrete: whether there are two actions, or a range of them.
    """

    observation_space = spaces.Box(-1, 1, (2,))

    def __init__(self, fault: str, at: int, discrete: bool = True) -> None:
        self.action_space = spaces.Discrete(2) if discrete else spaces.Box(-1, 1, (1,))
        self._fault, self._at = fault, at
        self._steps = 0

    def reset(self, *, seed: Any = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        return self._observation(), {}

    def step(self, action: Any) -> Any:
        self._steps += 1
        observation: Any = self._observation()
        reward: Any = float(np.sum(action))
        over = self._steps % EPISODE == 0
        if self._steps == self._at and not mended:
            match self._fault:
                case "raise":
                    raise ZeroDivisionError("on purpose")
                case "hang":
                    time.sleep(1000)
                case "die":
                    os.kill(os.getpid(), signal.SIGKILL)
                case "NaN observation":
                    observation[1] = np.nan
                case "infinite observation":
                    observation[0] = np.inf
                case "shape":
                    observation = np.zeros(3, np.float32)
                case "type":
                    observation = np.array(["left", "right"])
                case "NaN reward":
                    reward = np.nan
        return observation, reward, over, False, {}

    def _observation(self) -> Any:
        return self.np_random.random(2).astype(np.float32)


@final
class Chancy(gym.Env[Any, Any]):
    """A walk that ends in a prize, drawn from Python's generator for all."""

    observation_space = spaces.Box(0, 1, (2,))
    action_space = spaces.Discrete(2)

    def __init__(self) -> None:
        self._steps = 0

    def reset(self, *, seed: Any = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        self._steps = 0
        return self._observation(), {}

    def step(self, action: Any) -> Any:
        self._steps += 1
        over = self._steps == EPISODE
        return self._observation(), random.random() if over else 0.0, over, False, {}

    def _observation(self) -> Any:
        return self.np_random.random(2).astype(np.float32)


gym.register("survival/Faulty-v0", Faulty)
gym.register("survival/Chancy-v0", Chancy)
