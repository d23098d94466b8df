"""Choices counted from 0: the one place that knows `Discrete(n, start=s)`.

Agents, policies, codecs and exported files count the choices of Discrete and
MultiDiscrete spaces from 0, as Stable-Baselines3 does. What an environment adds to that
is added and taken away here.
"""

from collections.abc import Mapping
from operator import is_not
from typing import Any, final

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from typing_extensions import override


def counted_from_zero(env: gym.Env[Any, Any]) -> gym.Env[Any, Any]:
    """Returns the environment, wrapped if one of its spaces does not start at 0."""
    if starts_at_zero(env.action_space) and starts_at_zero(env.observation_space):
        return env
    return ZeroBasedEnv(env)


@final
class ZeroBasedEnv(gym.Wrapper[Any, Any, Any, Any]):
    """Takes actions and shows observations that are counted from 0.

    Args:
        env: its spaces may start anywhere.
    """

    def __init__(self, env: gym.Env[Any, Any]) -> None:
        super().__init__(env)
        self._declared = env.observation_space, env.action_space
        self.observation_space, self.action_space = map(zero_based, self._declared)

    @override
    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        shown: tuple[Any, dict[str, Any]] = self._shown(
            self.env.reset(seed=seed, options=options)
        )
        return shown

    @override
    def step(self, action: Any) -> Any:
        return self._shown(self.env.step(_shifted(action, self._declared[1], 1)))

    def _shown(self, result: Any) -> Any:
        # What has another form is a fault, which is found by who checks it.
        if not isinstance(result, tuple) or not result:
            return result
        return _shifted(result[0], self._declared[0], -1), *result[1:]


def starts_at_zero(space: gym.Space[Any]) -> bool:
    """Tells whether all choices in a space are counted from 0."""
    return zero_based(space) is space


def zero_based(space: gym.Space[Any]) -> gym.Space[Any]:
    """Returns the space with all its choices counted from 0; itself if they are."""
    match space:
        case spaces.Discrete() if space.start:
            return spaces.Discrete(int(space.n))
        case spaces.MultiDiscrete() if np.any(space.start):
            return spaces.MultiDiscrete(space.nvec, dtype=space.dtype.type)
        case spaces.Dict():
            parts = {name: zero_based(part) for name, part in space.spaces.items()}
            if any(map(is_not, parts.values(), space.spaces.values())):
                return spaces.Dict(parts)
        case spaces.Tuple():
            members = [zero_based(part) for part in space.spaces]
            if any(map(is_not, members, space.spaces)):
                return spaces.Tuple(members)
    return space


def _shifted(value: Any, space: gym.Space[Any], sign: int) -> Any:
    """Returns a value moved by the start of its space, up or down."""
    match space:
        case spaces.Discrete() | spaces.MultiDiscrete():
            # Anything else is no choice, and is named as that where it is checked.
            is_whole = np.asarray(value).dtype.kind in "iu"
            return value + sign * space.start if is_whole else value
        case spaces.Dict() if isinstance(value, Mapping):
            parts = {
                name: _shifted(value[name], part, sign)
                for name, part in space.spaces.items()
                if name in value
            }
            return {**value, **parts}
        case spaces.Tuple() if isinstance(value, tuple):
            pairs = zip(value, space.spaces, strict=False)
            return tuple(_shifted(part, own, sign) for part, own in pairs)
    return value
