"""What stands around a learner: its environments and their running statistics."""

from typing import Any

import numpy as np
from stable_baselines3.common.running_mean_std import RunningMeanStd
from stable_baselines3.common.vec_env import VecNormalize

from rltransfer.wrappers.replayable_env import Moment
from rltransfer_agents.training.algorithms import Learner
from rltransfer_agents.training.snapshots.item import Item
from rltransfer_agents.training.vector_env import Place, VectorEnv


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


def _place(learner: Learner) -> Place:
    envs = learner.get_env()
    assert envs is not None and isinstance(envs.unwrapped, VectorEnv)
    return envs.unwrapped.place


def _take_environments(learner: Learner) -> list[dict[str, Any]]:
    return [vars(moment) for moment in _place(learner).moments()]


def _put_environments(learner: Learner, moments: list[dict[str, Any]]) -> None:
    if not _place(learner).go_to([Moment(**moment) for moment in moments]):
        raise NotFollowed


ENVIRONMENTS = Item(_take_environments, _put_environments)


class NotFollowed(Exception):
    """The same actions led an environment elsewhere."""


def start_anew(learner: Learner) -> None:
    """Starts new episodes everywhere, and lets the learner know."""
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
