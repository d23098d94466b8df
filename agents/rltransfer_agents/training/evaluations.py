"""Evaluations of an agent that is still learning, and copies of its policy."""

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias, final

import numpy as np
import torch
from numpy.typing import NDArray

from rltransfer.io import write_atomically
from rltransfer_agents.loading.running_statistics import Statistics
from rltransfer_agents.policies.observation_encoders import Normalisation
from rltransfer_agents.training.algorithms import Learner
from rltransfer_agents.training.run_files import statistics_of
from rltransfer_agents.training.vector_env import VectorEnv

Act: TypeAlias = Callable[[NDArray[Any]], NDArray[Any]]
"""Maps a batch of raw observations to actions, deterministically."""


@final
@dataclass(frozen=True, eq=False)
class PolicySnapshot:
    """A copy of what decides how an agent acts, while the agent goes on learning."""

    weights: dict[str, torch.Tensor]
    statistics: Statistics | None

    @classmethod
    def of(cls, learner: Learner) -> "PolicySnapshot":
        """Returns a copy of the policy as it is."""
        weights = {
            name: tensor.detach().clone()
            for name, tensor in learner.policy.state_dict().items()
        }
        return cls(weights, _statistics(learner))

    def act(self, learner: Learner) -> Act:
        """Returns this policy; it overwrites and uses the networks of `learner`."""
        learner.policy.load_state_dict(self.weights)
        return _act(learner, self.statistics)


def current_act(learner: Learner) -> Act:
    """Returns the policy as it is; to be used before learning goes on."""
    return _act(learner, _statistics(learner))


def _statistics(learner: Learner) -> Statistics | None:
    envs = learner.get_vec_normalize_env()
    return None if envs is None else statistics_of(envs)


def _act(learner: Learner, statistics: Statistics | None) -> Act:
    policy = learner.policy
    if statistics is None or statistics.observation is None:
        return lambda observations: policy.predict(observations, deterministic=True)[0]
    seen = statistics.observation
    normalise = Normalisation.of(
        np.array(seen.mean),
        np.array(seen.variance),
        epsilon=statistics.epsilon,
        clip=statistics.clip_obs,
    )
    return lambda observations: policy.predict(
        normalise(observations).astype(np.float32), deterministic=True
    )[0]


def play_episodes(
    envs: VectorEnv, act: Act, seed: int, cap: int
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Returns the returns and lengths of one episode in each environment.

    They are stepped together, so that one call of the policy serves all.

    Args:
        envs: the environments.
        act: the policy.
        seed: the episode in environment i starts from `seed` + i.
        cap: steps after which an episode ends in any case.
    """
    returns = np.zeros(envs.num_envs)
    lengths = np.zeros(envs.num_envs, np.int64)
    running = list(range(envs.num_envs))
    observations = envs.reset_some(running, [seed + index for index in running])
    while running:
        actions = act(np.array([observations[index] for index in running]))
        steps = envs.step_some(running, list(actions))
        returns[running] += steps.rewards
        lengths[running] += 1
        for index, observation in zip(running, steps.observations, strict=True):
            observations[index] = observation
        running = [
            index
            for index, over in zip(running, steps.overs, strict=True)
            if not over and lengths[index] < cap
        ]
    return returns, lengths


@final
class Evaluations:
    """The evaluations of one run, in the file that Stable-Baselines3 writes.

    Args:
        path: of `evaluations.npz`.
        envs: has an environment for each episode of an evaluation.
        every: steps between evaluations; 0 for none before the end.
        seed: of the first episode; every evaluation plays the same episodes.
        cap: most steps of one episode, which ends there.
    """

    def __init__(
        self, path: Path, envs: VectorEnv, every: int, seed: int, cap: int
    ) -> None:
        self._path = path
        self._envs = envs
        self._every = every
        self._seed = seed
        self._cap = cap
        self._capped_reports = 0
        self.steps: list[int] = []
        self.returns: list[NDArray[np.float64]] = []
        self.lengths: list[NDArray[np.int64]] = []

    @property
    def best(self) -> float:
        """The best mean return so far."""
        return max((float(row.mean()) for row in self.returns), default=-np.inf)

    @property
    def capped_episodes(self) -> int:
        """How many episodes were as long as they may be."""
        capped = sum(int((row >= self._cap).sum()) for row in self.lengths)
        return capped + self._capped_reports

    @property
    def last_steps(self) -> int:
        """Steps that were learnt from before the last evaluation."""
        return self.steps[-1] if self.steps else 0

    def due(self, steps: int) -> bool:
        """Whether the agent has learnt long enough to be evaluated again."""
        last = self.last_steps
        return self._every > 0 and steps // self._every > last // self._every

    def add(self, act: Act, steps: int) -> bool:
        """Evaluates once more and returns whether no earlier evaluation was better."""
        best = self.best
        returns, lengths = play_episodes(self._envs, act, self._seed, self._cap)
        self.steps.append(steps)
        self.returns.append(returns)
        self.lengths.append(lengths)
        self._write()
        # Of two equal ones the later, which has learnt from more.
        return float(returns.mean()) >= best

    def history(self) -> dict[str, list[Any]]:
        """Returns all evaluations so far as plain data."""
        return {"steps": self.steps, "returns": self.returns, "lengths": self.lengths}

    def restore(self, history: Mapping[str, list[Any]]) -> None:
        """Takes over the evaluations of an interrupted run."""
        self.steps = list(history["steps"])
        self.returns = list(history["returns"])
        self.lengths = list(history["lengths"])

    def report(self, act: Act, seed: int) -> NDArray[np.float64]:
        """Returns the returns of other episodes, which choose nothing."""
        returns, lengths = play_episodes(self._envs, act, seed, self._cap)
        self._capped_reports += int((lengths >= self._cap).sum())
        return returns

    def _write(self) -> None:
        buffer = io.BytesIO()
        np.savez(
            buffer,
            timesteps=np.array(self.steps),
            results=np.array(self.returns),
            ep_lengths=np.array(self.lengths),
        )
        write_atomically(self._path, buffer.getvalue())
