"""Two wrappers of RL Zoo's agents that no package of ours brings: time, and frames."""

from typing import Any, final

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray
from typing_extensions import override

_OBSERVATION = "observation"
"""The part of a goal environment's observations that the time is appended to."""


@final
class TimeFeature(gym.ObservationWrapper[Any, Any, Any]):
    """Appends the share of the episode that is left, as sb3-contrib's does.

    Pardo et al., "Time limits in reinforcement learning" (ICML 2018).

    Args:
        env: its observations are vectors, or a Dict with a vector `observation`.
        max_steps: of an episode, where the environment's registration has no limit.
        test_mode: the feature is always 1.
    """

    def __init__(
        self, env: gym.Env[Any, Any], max_steps: int = 1000, test_mode: bool = False
    ) -> None:
        super().__init__(env)
        space = env.observation_space
        inner = space[_OBSERVATION] if isinstance(space, spaces.Dict) else space
        if not isinstance(inner, spaces.Box) or len(inner.shape) != 1:
            raise ValueError("observations must be vectors")
        timed = spaces.Box(
            np.append(inner.low, 0).astype(inner.dtype),
            np.append(inner.high, 1).astype(inner.dtype),
            dtype=inner.dtype.type,
        )
        if isinstance(space, spaces.Dict):
            parts = {n: timed if n == _OBSERVATION else p for n, p in space.items()}
            self.observation_space = spaces.Dict(list(parts.items()))
        else:
            self.observation_space = timed
        limit = None if env.spec is None else env.spec.max_episode_steps
        self._limit = max_steps if limit is None else limit
        self._test_mode = test_mode
        self._step = 0

    @override
    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        self._step = 0
        return super().reset(seed=seed, options=options)

    @override
    def observation(self, observation: Any) -> Any:
        is_dict = isinstance(observation, dict)
        vector = np.asarray(observation[_OBSERVATION] if is_dict else observation)
        left = 1.0 if self._test_mode else 1 - self._step / self._limit
        self._step += 1
        timed = np.append(vector, np.array(left, vector.dtype))
        return {**observation, _OBSERVATION: timed} if is_dict else timed


@final
class StackFrames(gym.ObservationWrapper[Any, Any, Any]):
    """Joins the last observations along their last axis, as SB3's `VecFrameStack` does.

    Before the first ones there are zeros.

    Args:
        env: its observations are arrays.
        n_stack: how many are joined.
    """

    def __init__(self, env: gym.Env[Any, Any], n_stack: int) -> None:
        super().__init__(env)
        space = env.observation_space
        if not isinstance(space, spaces.Box) or not space.shape:
            raise ValueError("observations must be one array")
        # Each bound so often in a row, as there: agents carry these bounds.
        low, high = (np.repeat(b, n_stack, axis=-1) for b in (space.low, space.high))
        self.observation_space = spaces.Box(low, high, dtype=space.dtype.type)
        self._stack = np.zeros(low.shape, space.dtype)

    @override
    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        self._stack = np.zeros_like(self._stack)
        return super().reset(seed=seed, options=options)

    @override
    def observation(self, observation: Any) -> NDArray[Any]:
        width = np.shape(observation)[-1]
        kept = self._stack[..., width:]
        self._stack = np.concatenate([kept, observation], -1, dtype=self._stack.dtype)
        return self._stack
