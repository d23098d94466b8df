"""Evaluations of an agent that is still learning, and copies of its policy."""

import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, TypeAlias, final

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    InstanceOf,
    NonNegativeInt,
    model_validator,
)

from rltransfer.io import write_atomically
from rltransfer_agents.loading.running_statistics import (
    Statistics,
    normalisations_of,
    statistics_from,
)
from rltransfer_agents.training.agent_saving import statistics_of
from rltransfer_agents.training.algorithms import Learner
from rltransfer_agents.training.vector_env import VectorEnv

Act: TypeAlias = Callable[[NDArray[Any]], NDArray[Any]]
"""Maps a batch of raw observations to actions, deterministically."""


def _stored_statistics(value: object) -> Statistics | None:
    return value if value is None else statistics_from(value, "the snapshot")


@final
@dataclass(frozen=True, eq=False)
class PolicySnapshot:
    """A copy of what decides how an agent acts, while the agent goes on learning."""

    __pydantic_config__: ClassVar[ConfigDict] = {"extra": "forbid"}

    weights: dict[str, InstanceOf[torch.Tensor]]
    statistics: Annotated[
        InstanceOf[Statistics] | None, BeforeValidator(_stored_statistics)
    ]

    @classmethod
    def of(cls, learner: Learner) -> "PolicySnapshot":
        """Returns a copy of the policy as it is."""
        weights = {
            name: tensor.detach().clone()
            for name, tensor in learner.policy.state_dict().items()
        }
        return cls(weights, statistics_of(learner))

    def act(self, learner: Learner) -> Act:
        """Returns this policy; it overwrites and uses the networks of `learner`."""
        policy, statistics = learner.policy, self.statistics
        policy.load_state_dict(self.weights)
        normalise = (
            None if statistics is None else normalisations_of(statistics).get("")
        )

        def act(observations: NDArray[Any]) -> NDArray[Any]:
            if normalise is not None:
                observations = normalise(observations).astype(np.float32)
            return policy.predict(observations, deterministic=True)[0]

        return act


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


def _numbers(row: NDArray[Any]) -> NDArray[Any]:
    if row.ndim != 1 or row.size == 0 or row.dtype.kind not in "if":
        raise ValueError(f"a row of numbers is wanted, got {row.dtype} {row.shape}")
    return row


_Row: TypeAlias = Annotated[InstanceOf[np.ndarray], AfterValidator(_numbers)]


@final
class EvaluationHistory(BaseModel):
    """The evaluations so far."""

    model_config = ConfigDict(extra="forbid", strict=True)

    steps: list[NonNegativeInt]
    """That were learnt from before each."""
    returns: list[_Row]
    lengths: list[_Row]

    @model_validator(mode="after")
    def _is_even(self) -> "EvaluationHistory":
        if not len(self.steps) == len(self.returns) == len(self.lengths):
            raise ValueError("steps, returns and lengths must be of the same number")
        if len({row.shape for row in (*self.returns, *self.lengths)}) > 1:
            raise ValueError("every evaluation must have as many episodes")
        return self

    def write(self, path: Path) -> None:
        """Writes the file of Stable-Baselines3's `EvalCallback`."""
        buffer = io.BytesIO()
        np.savez(
            buffer,
            timesteps=np.array(self.steps),
            results=np.array(self.returns),
            ep_lengths=np.array(self.lengths),
        )
        write_atomically(path, buffer.getvalue())


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
        self._path, self._envs = path, envs
        self._every, self._seed, self._cap = every, seed, cap
        self._capped_reports = 0
        self.history = EvaluationHistory(steps=[], returns=[], lengths=[])

    @property
    def capped_episodes(self) -> int:
        """How many episodes were as long as they may be."""
        capped = sum(int((row >= self._cap).sum()) for row in self.history.lengths)
        return capped + self._capped_reports

    @property
    def last_steps(self) -> int:
        """Steps that were learnt from before the last evaluation."""
        return self.history.steps[-1] if self.history.steps else 0

    def due(self, steps: int) -> bool:
        """Whether the agent has learnt long enough to be evaluated again."""
        last = self.last_steps
        return self._every > 0 and steps // self._every > last // self._every

    def add(self, act: Act, steps: int) -> bool:
        """Evaluates once more and returns whether no earlier evaluation was better."""
        history = self.history
        best = max((float(row.mean()) for row in history.returns), default=-np.inf)
        returns, lengths = play_episodes(self._envs, act, self._seed, self._cap)
        history.steps.append(steps)
        history.returns.append(returns)
        history.lengths.append(lengths)
        history.write(self._path)
        # Of two equal ones the later, which has learnt from more.
        return float(returns.mean()) >= best

    def report(self, act: Act, seed: int) -> NDArray[np.float64]:
        """Returns the returns of other episodes, which choose nothing."""
        returns, lengths = play_episodes(self._envs, act, seed, self._cap)
        self._capped_reports += int((lengths >= self._cap).sum())
        return returns
