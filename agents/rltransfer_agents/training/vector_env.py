"""Several environments as Stable-Baselines3 steps them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from operator import or_
from typing import Any, NoReturn, final

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray
from stable_baselines3.common.vec_env import VecEnv
from typing_extensions import override

from rltransfer.wrappers import (
    EnvSnapshot,
    ReplayableEnv,
    StepTimeout,
    SubprocessEnv,
    check_together,
)
from rltransfer_agents.training.algorithms import Learner


@final
@dataclass(frozen=True, eq=False)
class Steps:
    """One step in each of several environments."""

    observations: NDArray[Any]
    """One row each; the last of an episode where that is over."""
    rewards: list[float]
    overs: list[bool]
    """Whether the episode was terminated or truncated."""
    infos: list[dict[str, Any]]
    """Of the last step of an episode with `TimeLimit.truncated`, where
    Stable-Baselines3 looks for it."""


@final
class VectorEnv(VecEnv):
    """A list of environments, started again when an episode ends.

    Unlike Stable-Baselines3's own it checks every step, keeps what a replay needs, and
    copies no info, which makes a step of cheap environments about twice as fast.

    Args:
        envs: of one kind. In this process they are stepped one after the other, which
            is fastest for cheap ones; those in processes of their own work together.
        timeout: of the steps in this process.
    """

    def __init__(
        self,
        envs: Sequence[ReplayableEnv] | Sequence[SubprocessEnv],
        timeout: StepTimeout | None = None,
    ) -> None:
        self._local = [env for env in envs if isinstance(env, ReplayableEnv)]
        self._remote = [env for env in envs if isinstance(env, SubprocessEnv)]
        if timeout is not None:
            for env in self._local:
                env.checked.timeout = timeout
        super().__init__(len(envs), envs[0].observation_space, envs[0].action_space)
        self.declared_spaces = envs[0].declared_spaces
        """As the environment itself has them; its choices may start anywhere."""
        self._all = range(len(envs))
        self.actions: NDArray[Any] = np.zeros(0)
        """Of the last step of all."""

    @override
    def reset(self) -> NDArray[Any]:
        observations = self.reset_some(self._all, self._seeds)
        self._reset_seeds()
        return np.array(observations)

    @override
    def step_async(self, actions: NDArray[Any]) -> None:
        self.actions = actions

    @override
    def step_wait(
        self,
    ) -> tuple[NDArray[Any], NDArray[np.float32], NDArray[np.bool_], list[Any]]:
        steps = self.step_some(self._all, list(self.actions))
        ended = _true(steps.overs)
        if ended:
            for index in ended:
                # A copy: the first observation of the next episode takes its place.
                last = steps.observations[index].copy()
                steps.infos[index]["terminal_observation"] = last
            steps.observations[ended] = self.reset_some(ended, [None] * len(ended))
        return (
            steps.observations,
            np.array(steps.rewards, np.float32),
            np.array(steps.overs),
            steps.infos,
        )

    def reset_some(
        self, which: Sequence[int], seeds: Sequence[int | None]
    ) -> list[NDArray[Any]]:
        """Starts an episode in each of `which` and returns the first observations."""
        pairs = list(zip(which, seeds, strict=True))
        if self._local:
            return [self._local[index].reset(seed=seed)[0] for index, seed in pairs]
        for index, seed in pairs:
            self._remote[index].send_reset(seed)
        return [self._remote[index].receive()[0] for index in which]

    def step_some(self, which: Sequence[int], actions: Sequence[Any]) -> Steps:
        """Takes one step in each of `which`."""
        if self._local:
            envs = [self._local[index] for index in which]
            unchecked = [
                env.step_unchecked(action)
                for env, action in zip(envs, actions, strict=True)
            ]
            rows, rewards = check_together(
                [env.checked for env in envs],
                [step[0] for step in unchecked],
                [step[1] for step in unchecked],
            )
            steps = map(ReplayableEnv.keep, envs, unchecked, rows, rewards)
            _, _, terminated, truncated, infos = zip(*steps, strict=True)
        else:
            for index, action in zip(which, actions, strict=True):
                self._remote[index].send_step(action)
            answers = [self._remote[index].receive() for index in which]
            seen, paid, terminated, truncated, infos = zip(*answers, strict=True)
            rows, rewards = np.array(seen), list(paid)
        overs = list(map(or_, terminated, truncated))
        for index in _true(overs):
            infos[index]["TimeLimit.truncated"] = not terminated[index]
        return Steps(rows, rewards, overs, list(infos))

    def snapshots(self) -> list[EnvSnapshot]:
        """Returns where each environment is."""
        for env in self._remote:
            env.send_snapshot()
        return [env.snapshot() for env in self._local] + [
            env.receive() for env in self._remote
        ]

    def restore(self, snapshots: Sequence[EnvSnapshot]) -> bool:
        """Steps to `snapshots` again; returns whether all led to the same state."""
        if self._local:
            pairs = zip(self._local, snapshots, strict=True)
            return all([env.restore(snapshot) for env, snapshot in pairs])
        for env, snapshot in zip(self._remote, snapshots, strict=True):
            env.send_restore(snapshot)
        # All steps are taken again before the answer.
        longest = max(len(snapshot.actions) for snapshot in snapshots) + 1
        return all([env.receive(longest) for env in self._remote])

    @override
    def close(self) -> None:
        for env in (*self._local, *self._remote):
            env.close()

    @override
    def get_attr(
        self, attr_name: str, indices: int | Iterable[int] | None = None
    ) -> list[Any]:
        if attr_name != "render_mode":
            _refuse(attr_name)
        # Environments that are trained in are not rendered.
        return [None for _ in self._get_indices(indices)]

    @override
    def set_attr(
        self, attr_name: str, value: Any, indices: int | Iterable[int] | None = None
    ) -> None:
        _refuse(attr_name)

    @override
    def env_method(
        self,
        method_name: str,
        *method_args: Any,
        indices: int | Iterable[int] | None = None,
        **method_kwargs: Any,
    ) -> list[Any]:
        _refuse(method_name)

    @override
    def env_is_wrapped(
        self,
        wrapper_class: type[gym.Wrapper[Any, Any, Any, Any]],
        indices: int | Iterable[int] | None = None,
    ) -> list[bool]:
        return [False for _ in self._get_indices(indices)]


def vector_env_of(learner: Learner) -> VectorEnv:
    """Returns the environments that a learner learns in, without any normalisation."""
    envs = learner.get_env()
    assert envs is not None and isinstance(envs.unwrapped, VectorEnv)
    return envs.unwrapped


def _true(values: list[bool]) -> list[int]:
    # Most steps end no episode.
    return [i for i, true in enumerate(values) if true] if True in values else []


def _refuse(name: str) -> NoReturn:
    raise AttributeError(f"training reaches into no environment, not even for {name}")
