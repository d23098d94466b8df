"""The policy of an agent that is still learning."""

import copy
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from stable_baselines3.common.policies import BasePolicy

from rltransfer_agents.frozen.normalisation import Normalisation
from rltransfer_agents.running_statistics import Statistics
from rltransfer_agents.training.algorithms import Learner
from rltransfer_agents.training.saving import statistics_of

Choose: TypeAlias = Callable[[NDArray[Any]], NDArray[Any]]
"""Maps a batch of raw observations to actions, without chance."""


def choice_now(learner: Learner) -> Choose:
    """Returns the policy as it is; to be used before learning goes on."""
    envs = learner.get_vec_normalize_env()
    return _choice(learner.policy, None if envs is None else statistics_of(envs))


def choice_kept(learner: Learner) -> Choose:
    """Returns the policy as it is, for good: learning goes on without it."""
    envs = learner.get_vec_normalize_env()
    policy = copy.deepcopy(learner.policy)
    return _choice(policy, None if envs is None else statistics_of(envs))


def _choice(policy: BasePolicy, statistics: Statistics | None) -> Choose:
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
