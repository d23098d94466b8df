"""An environment in a process of its own."""

from collections.abc import Callable
from functools import partial
from typing import Any, TypeAlias, final

import gymnasium as gym
from gymnasium.envs.registration import EnvSpec

from rltransfer.border.hanging import START_SECONDS
from rltransfer.border.workers import Lost, Serve, Worker
from rltransfer.errors import EnvironmentFault

Make: TypeAlias = Callable[[], gym.Env[Any, Any]]


@final
class Apart(gym.Env[Any, Any]):
    """Steps an environment that can hang or die without taking the run with it.

    Costs about a tenth of a millisecond a step.

    Args:
        make: makes it, over there; is pickled.
        name: of the process.
        seconds: longest time of one step or reset.

    Raises:
        EnvironmentFault: when made, if it cannot be.
        Lost: from `reset` and `step`, if it died or does not come back.
    """

    def __init__(self, make: Make, name: str, seconds: float) -> None:
        self._seconds = seconds
        self._worker = Worker(partial(_serving, make), name)
        self._worker.ask("about")
        try:
            about = self._worker.answer(seconds + START_SECONDS)
        except Lost as loss:
            raise EnvironmentFault(
                f"{name}: start {loss}; mend the environment"
            ) from loss
        self.observation_space, self.action_space, limit = about
        # All that is asked of a specification here; the real one may not travel.
        self.spec = EnvSpec(id="Apart-v0", max_episode_steps=limit)

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        """Starts an episode, over there."""
        self._worker.ask("reset", (seed, options))
        return self._worker.answer(self._seconds)

    def step(self, action: Any) -> Any:
        """Takes one step, over there."""
        self._worker.ask("step", action)
        return self._worker.answer(self._seconds)

    def close(self) -> None:
        """Ends the process."""
        self._worker.end()


def _serving(make: Make) -> Serve:
    env = make()

    def serve(verb: str, argument: Any) -> Any:
        match verb:
            case "about":
                spec = env.spec
                limit = None if spec is None else spec.max_episode_steps
                return env.observation_space, env.action_space, limit
            case "reset":
                seed, options = argument
                return env.reset(seed=seed, options=options)
            case "step":
                return env.step(argument)
        raise ValueError(f"unknown order {verb!r}")

    return serve
