"""The parts of a learner's state that learning itself changes."""

from typing import Any

import torch
from stable_baselines3 import SAC
from stable_baselines3.common.buffers import ReplayBuffer
from stable_baselines3.common.noise import ActionNoise, VectorizedActionNoise

from rltransfer_agents.training.algorithms import Learner
from rltransfer_agents.training.snapshots.item import Item, attributes, require_names

COUNTERS = attributes(
    "num_timesteps",
    "exploration_rate",
    "_current_progress_remaining",
    "_episode_num",
    "_n_calls",
    "_n_updates",
)
LAST_STEP = attributes("_last_obs", "_last_episode_starts", "_last_original_obs")


def _take_weights(learner: Learner) -> dict[str, Any]:
    """Networks and optimizers."""
    return learner.get_parameters()


def _put_weights(learner: Learner, weights: dict[str, Any]) -> None:
    learner.set_parameters(weights, exact_match=True, device=learner.device)


WEIGHTS = Item(_take_weights, _put_weights)


def _take_temperature(learner: Learner) -> torch.Tensor | None:
    return learner.log_ent_coef if isinstance(learner, SAC) else None


def _put_temperature(learner: Learner, value: torch.Tensor) -> None:
    assert isinstance(learner, SAC) and learner.log_ent_coef is not None
    learner.log_ent_coef.data.copy_(value)


TEMPERATURE = Item(_take_temperature, _put_temperature)


def _take_recent(learner: Learner) -> dict[str, Any] | None:
    if learner.ep_info_buffer is None or learner.ep_success_buffer is None:
        return None
    successes = [float(success) for success in learner.ep_success_buffer]
    return {"episodes": list(learner.ep_info_buffer), "successes": successes}


def _put_recent(learner: Learner, recent: dict[str, Any]) -> None:
    assert learner.ep_info_buffer is not None and learner.ep_success_buffer is not None
    learner.ep_info_buffer.clear()
    learner.ep_info_buffer.extend(recent["episodes"])
    learner.ep_success_buffer.clear()
    learner.ep_success_buffer.extend(recent["successes"])


RECENT_EPISODES = Item(_take_recent, _put_recent)

_MATRICES = ("exploration_mat", "exploration_matrices")


def _exploring(learner: Learner) -> Any:
    actor = learner.actor if isinstance(learner, SAC) else learner.policy
    return actor.action_dist


def _take_exploration(learner: Learner) -> dict[str, torch.Tensor] | None:
    if not learner.use_sde:
        return None
    return {name: getattr(_exploring(learner), name) for name in _MATRICES}


def _put_exploration(learner: Learner, matrices: dict[str, torch.Tensor]) -> None:
    require_names(matrices, _MATRICES)
    for name, matrix in matrices.items():
        setattr(_exploring(learner), name, matrix)


STATE_DEPENDENT_EXPLORATION = Item(_take_exploration, _put_exploration)


def _noises(learner: Learner) -> list[ActionNoise]:
    noise = learner.action_noise
    if isinstance(noise, VectorizedActionNoise):
        return list(noise.noises)
    return [] if noise is None else [noise]


def _take_noise(learner: Learner) -> list[Any] | None:
    # Only noise that depends on its last value has any state.
    states = [getattr(noise, "noise_prev", None) for noise in _noises(learner)]
    return None if all(state is None for state in states) else states


def _put_noise(learner: Learner, states: list[Any]) -> None:
    for noise, state in zip(_noises(learner), states, strict=True):
        vars(noise)["noise_prev"] = state


ACTION_NOISE = Item(_take_noise, _put_noise)


def _buffer(learner: Learner) -> ReplayBuffer | None:
    return getattr(learner, "replay_buffer", None)


def _take_position(learner: Learner) -> dict[str, Any] | None:
    buffer = _buffer(learner)
    return None if buffer is None else {"pos": buffer.pos, "full": buffer.full}


def _put_position(learner: Learner, position: dict[str, Any]) -> None:
    require_names(position, ("pos", "full"))
    vars(_buffer(learner)).update(position)


BUFFER_POSITION = Item(_take_position, _put_position)
