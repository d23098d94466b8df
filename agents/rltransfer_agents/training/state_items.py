"""Items of a learner's state that belong to the process and the environments."""

import copy
import random
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, final

import numpy as np
import torch
from stable_baselines3.common.running_mean_std import RunningMeanStd
from stable_baselines3.common.vec_env import VecNormalize

from rltransfer.wrappers.replayable_env import EnvSnapshot
from rltransfer_agents.training.algorithms import Learner
from rltransfer_agents.training.vector_env import VectorEnv


@final
@dataclass(frozen=True)
class Item:
    """How one part is taken from a learner and put into another."""

    take: Callable[[Learner], Any]
    """Gives None where a learner has no such part."""
    put: Callable[[Learner, Any], None]


def attributes(*names: str) -> Item:
    """Returns the item of plain attributes, of those that a learner has."""

    def take(learner: Learner) -> dict[str, Any]:
        return {
            name: getattr(learner, name) for name in names if hasattr(learner, name)
        }

    def put(learner: Learner, values: dict[str, Any]) -> None:
        require_names(values, take(learner))
        for name, value in values.items():
            setattr(learner, name, value)

    return Item(take, put)


def require_names(found: Mapping[str, Any], expected: Collection[str]) -> None:
    """Raises unless the names in `found` are those that are `expected`."""
    if found.keys() != set(expected):
        raise ValueError(f"expected {sorted(expected)}, got {list(found)}")


# Stable-Baselines3 draws from the generators of the process, not from its own.
TORCH = Item(
    lambda learner: torch.get_rng_state(),
    lambda learner, state: torch.set_rng_state(state),
)
NUMPY = Item(
    lambda learner: np.random.get_state(legacy=False),
    lambda learner, state: np.random.set_state(state),
)
PYTHON = Item(
    lambda learner: random.getstate(),
    lambda learner, state: random.setstate(state),
)


def _generator_of_actions(learner: Learner) -> np.random.BitGenerator:
    return learner.action_space.np_random.bit_generator


RANDOM_ACTIONS = Item(
    lambda learner: copy.deepcopy(_generator_of_actions(learner).state),
    lambda learner, state: setattr(_generator_of_actions(learner), "state", state),
)


def _statistics(envs: VecNormalize) -> dict[str, RunningMeanStd]:
    named = {"rewards": envs.ret_rms}
    if envs.norm_obs:
        assert isinstance(envs.obs_rms, RunningMeanStd)
        named["observations"] = envs.obs_rms
    return named


def _take_normalisation(learner: Learner) -> dict[str, Any] | None:
    envs = learner.get_vec_normalize_env()
    if envs is None:
        return None
    statistics = {name: dict(vars(seen)) for name, seen in _statistics(envs).items()}
    # Missing until the first step.
    observations = getattr(envs, "old_obs", None)
    return {
        "statistics": {
            name: {key: seen[key] for key in ("mean", "var", "count")}
            for name, seen in statistics.items()
        },
        "returns": envs.returns,
        "old_obs": observations,
        "old_reward": envs.old_reward,
    }


def _put_normalisation(learner: Learner, state: dict[str, Any]) -> None:
    envs = learner.get_vec_normalize_env()
    assert envs is not None
    for name, seen in _statistics(envs).items():
        vars(seen).update(state["statistics"][name])
    envs.returns = state["returns"]
    envs.old_obs = state["old_obs"]
    envs.old_reward = state["old_reward"]


NORMALISATION = Item(_take_normalisation, _put_normalisation)


def _vector_env(learner: Learner) -> VectorEnv:
    envs = learner.get_env()
    assert envs is not None and isinstance(envs.unwrapped, VectorEnv)
    return envs.unwrapped


def _take_environments(learner: Learner) -> list[dict[str, Any]]:
    return [vars(snapshot) for snapshot in _vector_env(learner).snapshots()]


def _put_environments(learner: Learner, snapshots: list[dict[str, Any]]) -> None:
    wanted = [EnvSnapshot(**snapshot) for snapshot in snapshots]
    if not _vector_env(learner).restore(wanted):
        raise NotFollowed


ENVIRONMENTS = Item(_take_environments, _put_environments)


class NotFollowed(Exception):
    """The same actions led an environment to another state."""


def start_anew(learner: Learner) -> None:
    """Starts a new episode in every environment, and tells the learner."""
    envs = learner.get_env()
    assert envs is not None
    observations = envs.reset()
    assert isinstance(observations, np.ndarray)
    learner._last_obs = observations
    learner._last_episode_starts = np.ones(envs.num_envs, bool)
    normalising = learner.get_vec_normalize_env()
    if normalising is not None:
        original = normalising.get_original_obs()
        assert isinstance(original, np.ndarray)
        learner._last_original_obs = original
