"""The policy of an agent that is still learning."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias, final

import numpy as np
import torch
from numpy.typing import NDArray

from rltransfer_agents.loading.running_statistics import Statistics
from rltransfer_agents.policies.observation_encoders import Normalisation
from rltransfer_agents.training.algorithms import Learner
from rltransfer_agents.training.saving import statistics_of

Choose: TypeAlias = Callable[[NDArray[Any]], NDArray[Any]]
"""Maps a batch of raw observations to actions, without chance."""


@final
@dataclass(frozen=True, eq=False)
class Kept:
    """What an agent was at some time, while it goes on learning."""

    weights: dict[str, torch.Tensor]
    statistics: Statistics | None


def kept(learner: Learner) -> Kept:
    """Returns a copy of what decides how the agent acts."""
    weights = {
        name: tensor.detach().clone()
        for name, tensor in learner.policy.state_dict().items()
    }
    return Kept(weights, _statistics(learner))


def choice_now(learner: Learner) -> Choose:
    """Returns the policy as it is; to be used before learning goes on."""
    return _choice(learner, _statistics(learner))


def choice_of(learner: Learner, before: Kept) -> Choose:
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
