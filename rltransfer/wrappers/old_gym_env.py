"""Environments written for Gym, before Gymnasium, seen through today's interface."""

from collections.abc import Callable
from inspect import signature
from typing import Any, final

import gymnasium as gym
from typing_extensions import override


@final
class OldGymEnv(gym.Env[Any, Any]):
    """Translates the calls and results of an environment of old Gym.

    Knows `reset` without info, without `seed` or without `options`, and `step` with
    one `done` instead of `terminated` and `truncated`. For instance::

        gymnasium.register("Old-v0", entry_point=lambda **kw: OldGymEnv(Old(**kw)))

    Args:
        env: has `reset`, `step` and spaces of Gymnasium. What the package `gym`
            registers goes through Shimmy instead, which translates its spaces too:
            `gymnasium.make("GymV21Environment-v0", env_id=…)`.
    """

    def __init__(self, env: Any) -> None:
        self._env = env
        self.observation_space = env.observation_space
        self.action_space = env.action_space
        self.render_mode = getattr(env, "render_mode", None)
        self._taken = _arguments(env.reset)

    @override
    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        given = {"seed": seed, "options": options}
        known = {name: given[name] for name in self._taken if name in given}
        if seed is not None and "seed" not in known and hasattr(self._env, "seed"):
            self._env.seed(seed)
        result = self._env.reset(**known)
        if isinstance(result, tuple) and len(result) == 2:
            return result[0], dict(result[1])
        return result, {}

    @override
    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        result = self._env.step(action)
        if len(result) == 5:
            observation, reward, terminated, truncated, info = result
            return observation, reward, terminated, truncated, info
        observation, reward, done, info = result
        # Gym's own time limit says so; any other end is an end of the task.
        truncated = bool(done and info.get("TimeLimit.truncated", False))
        return observation, reward, bool(done) and not truncated, truncated, info

    @override
    def render(self) -> Any:
        return self._env.render()

    @override
    def close(self) -> None:
        self._env.close()


def _arguments(call: Callable[..., Any]) -> tuple[str, ...]:
    return tuple(signature(call).parameters)
