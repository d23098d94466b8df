"""The policy of an agent that is still learning, and how good it is on the way."""

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
from rltransfer_agents.training.vector_env import Place

Choose: TypeAlias = Callable[[NDArray[Any]], NDArray[Any]]
"""Maps a batch of raw observations to actions, without chance."""


@final
@dataclass(frozen=True, eq=False)
class PolicySnapshot:
    """What an agent was at some time, while it goes on learning."""

    weights: dict[str, torch.Tensor]
    statistics: Statistics | None


def policy_snapshot(learner: Learner) -> PolicySnapshot:
    """Returns a copy of what decides how the agent acts."""
    weights = {
        name: tensor.detach().clone()
        for name, tensor in learner.policy.state_dict().items()
    }
    return PolicySnapshot(weights, _statistics(learner))


def choice_now(learner: Learner) -> Choose:
    """Returns the policy as it is; to be used before learning goes on."""
    return _choice(learner, _statistics(learner))


def choice_of(learner: Learner, before: PolicySnapshot) -> Choose:
    """Returns the policy as it was; the learner's own weights are lost to it."""
    learner.policy.load_state_dict(before.weights)
    return _choice(learner, before.statistics)


def _statistics(learner: Learner) -> Statistics | None:
    envs = learner.get_vec_normalize_env()
    return None if envs is None else statistics_of(envs)


def _choice(learner: Learner, statistics: Statistics | None) -> Choose:
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
    place: Place, choose: Choose, seed: int
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Returns the returns and lengths of one episode in each environment.

    They are stepped together, so that one call of the policy serves all.

    Args:
        place: of the environments.
        choose: the policy.
        seed: the episode in environment i starts from `seed` + i.
    """
    returns = np.zeros(place.count)
    lengths = np.zeros(place.count, np.int64)
    running = list(range(place.count))
    observations = place.reset(running, [seed + index for index in running])
    while running:
        actions = choose(np.array([observations[index] for index in running]))
        steps = place.step(running, list(actions))
        returns[running] += steps.rewards
        lengths[running] += 1
        for index, observation in zip(running, steps.observations, strict=True):
            observations[index] = observation
        running = [
            index for index, over in zip(running, steps.overs, strict=True) if not over
        ]
    return returns, lengths


@final
class Evaluations:
    """The evaluations of one run, in the file that Stable-Baselines3 writes.

    Args:
        path: of `evaluations.npz`.
        place: has an environment for each episode of an evaluation.
        every: steps between evaluations; 0 for none before the end.
        seed: of the first episode; every evaluation plays the same episodes.
    """

    def __init__(self, path: Path, place: Place, every: int, seed: int) -> None:
        self._path = path
        self._place = place
        self._every = every
        self._seed = seed
        self.steps: list[int] = []
        self.returns: list[NDArray[np.float64]] = []
        self.lengths: list[NDArray[np.int64]] = []

    @property
    def best(self) -> float:
        """The best mean return so far."""
        return max((float(row.mean()) for row in self.returns), default=-np.inf)

    def due(self, steps: int) -> bool:
        """Whether the agent has learnt long enough to be evaluated again."""
        last = self.steps[-1] if self.steps else 0
        return self._every > 0 and steps // self._every > last // self._every

    def add(self, choose: Choose, steps: int) -> bool:
        """Evaluates once more and returns whether none before was better."""
        best = self.best
        returns, lengths = play_episodes(self._place, choose, self._seed)
        self.steps.append(steps)
        self.returns.append(returns)
        self.lengths.append(lengths)
        self._write()
        # Of equals the later one, which has learnt from more.
        return float(returns.mean()) >= best

    def history(self) -> dict[str, list[Any]]:
        """Returns all evaluations so far as plain data."""
        return {
            "steps": list(self.steps),
            "returns": list(self.returns),
            "lengths": list(self.lengths),
        }

    def go_on(self, history: Mapping[str, list[Any]]) -> None:
        """Takes over the evaluations of an interrupted run."""
        self.steps = list(history["steps"])
        self.returns = list(history["returns"])
        self.lengths = list(history["lengths"])

    def play(self, choose: Choose, seed: int) -> NDArray[np.float64]:
        """Returns the returns of fresh episodes that are not policy_snapshot."""
        return play_episodes(self._place, choose, seed)[0]

    def _write(self) -> None:
        buffer = io.BytesIO()
        np.savez(
            buffer,
            timesteps=np.array(self.steps),
            results=np.array(self.returns),
            ep_lengths=np.array(self.lengths),
        )
        write_atomically(self._path, buffer.getvalue())

    def close(self) -> None:
        """Closes the environments."""
        self._place.close()
