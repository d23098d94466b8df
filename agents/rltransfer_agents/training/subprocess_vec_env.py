"""Environments in processes of their own."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeAlias, final

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray
from typing_extensions import override

from rltransfer.errors import EnvironmentFault
from rltransfer.wrappers import START_SECONDS, Lost, Serve, Worker
from rltransfer.wrappers.replayable_env import EnvSnapshot, ReplayableEnv
from rltransfer_agents.training.vector_env import Place, Steps

Make: TypeAlias = Callable[[], gym.Env[Any, Any]]


@final
class Apart(Place):
    """Environments that can hang or die without taking the training with them.

    Args:
        make: makes an environment; is pickled on its way to another process.
        names: what errors call each of them.
        seconds: longest time of one step or reset.
    """

    def __init__(self, make: Make, names: Sequence[str], seconds: float) -> None:
        self._names = list(names)
        self._steps = [0] * len(names)
        self._workers = [Worker(partial(_serving, make, name), name) for name in names]
        self._seconds = seconds
        everyone = range(self.count)
        for worker in self._workers:
            worker.ask("spaces")
        found = [self._answer(i, "start", seconds + START_SECONDS) for i in everyone]
        self._spaces: tuple[spaces.Space[Any], spaces.Space[Any]] = found[0]

    @property
    @override
    def count(self) -> int:
        return len(self._workers)

    @property
    @override
    def observation_space(self) -> spaces.Space[Any]:
        return self._spaces[0]

    @property
    @override
    def action_space(self) -> spaces.Space[Any]:
        return self._spaces[1]

    @override
    def reset(
        self, which: Sequence[int], seeds: Sequence[int | None]
    ) -> list[NDArray[Any]]:
        return self._all("reset", which, seeds)

    @override
    def step(self, which: Sequence[int], actions: Sequence[Any]) -> Steps:
        for index in which:
            self._steps[index] += 1
        steps = self._all("step", which, actions)
        rows, rewards, overs, infos = map(list, zip(*steps, strict=True))
        return Steps(np.array(rows), rewards, overs, infos)

    @override
    def snapshots(self) -> list[EnvSnapshot]:
        return self._all("moment", range(self.count), [None] * self.count)

    @override
    def restore(self, snapshots: Sequence[EnvSnapshot]) -> bool:
        # All its steps are taken again before it answers.
        longest = max(len(snapshot.actions) for snapshot in snapshots) + 1
        self._steps = [snapshot.steps for snapshot in snapshots]
        return all(self._all("go_to", range(self.count), snapshots, longest))

    @override
    def close(self) -> None:
        for worker in self._workers:
            worker.end()

    def _all(
        self,
        verb: str,
        which: Sequence[int],
        arguments: Sequence[Any],
        calls: int = 1,
    ) -> list[Any]:
        for index, argument in zip(which, arguments, strict=True):
            self._workers[index].ask(verb, argument)
        return [self._answer(index, verb, self._seconds * calls) for index in which]

    def _answer(self, index: int, verb: str, seconds: float) -> Any:
        try:
            return self._workers[index].answer(seconds)
        except Lost as loss:
            raise EnvironmentFault(
                f"{self._names[index]}, step {self._steps[index]}: {verb} {loss}; "
                "mend the environment"
            ) from loss


def _serving(make: Make, name: str) -> Serve:
    env = ReplayableEnv(make, name)

    def serve(verb: str, argument: Any) -> Any:
        match verb:
            case "spaces":
                return env.env.observation_space, env.env.action_space
            case "reset":
                return env.reset(argument)
            case "step":
                return env.step(argument)
            case "moment":
                return env.snapshot()
            case "go_to":
                return env.restore(argument)
        raise ValueError(f"unknown order {verb!r}")

    return serve
