"""The state of a learner, item by item; without any one, training would differ."""

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from stable_baselines3.common.buffers import ReplayBuffer
from stable_baselines3.common.noise import ActionNoise, VectorizedActionNoise

from rltransfer.errors import ArtifactRefused, UserError
from rltransfer.io.nested_values import pack_nested
from rltransfer_agents.training.algorithms import Learner
from rltransfer_agents.training.replay_rows import COLUMNS
from rltransfer_agents.training.state_items import (
    ENVIRONMENTS,
    NORMALISATION,
    NUMPY,
    PYTHON,
    RANDOM_ACTIONS,
    TORCH,
    Item,
    NotFollowed,
    attributes,
    require_names,
    start_anew,
)

COUNTERS = attributes(
    "num_timesteps",
    "exploration_rate",
    "_current_progress_remaining",
    "_episode_num",
    "_n_calls",
    "_n_updates",
)
LAST_STEP = attributes("_last_obs", "_last_episode_starts", "_last_original_obs")


# Networks and optimizers.
WEIGHTS = Item(
    lambda learner: learner.get_parameters(),
    lambda learner, weights: learner.set_parameters(
        weights, exact_match=True, device=learner.device
    ),
)


def _take_temperature(learner: Learner) -> torch.Tensor | None:
    """Of soft actor-critics, where it is learnt."""
    return getattr(learner, "log_ent_coef", None)


def _put_temperature(learner: Learner, value: torch.Tensor) -> None:
    temperature = _take_temperature(learner)
    assert temperature is not None
    temperature.data.copy_(value)


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
    return getattr(learner, "actor", learner.policy).action_dist


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


# In the order in which they are put back. The environments are stepped again, which
# may draw from the generators of the process: those come after.
ITEMS: dict[str, Item] = {
    "counters": COUNTERS,
    "weights": WEIGHTS,
    "temperature": TEMPERATURE,
    "recent_episodes": RECENT_EPISODES,
    "state_dependent_exploration": STATE_DEPENDENT_EXPLORATION,
    "action_noise": ACTION_NOISE,
    "buffer_position": BUFFER_POSITION,
    "normalisation": NORMALISATION,
    "last_step": LAST_STEP,
    "environments": ENVIRONMENTS,
    "torch": TORCH,
    "numpy": NUMPY,
    "python": PYTHON,
    "random_actions": RANDOM_ACTIONS,
}


def capture(learner: Learner) -> dict[str, Any]:
    """Returns the state of a learner that is between two rollouts.

    The rows of a replay buffer are left out: they are many and hardly change.
    """
    taken = {name: item.take(learner) for name, item in ITEMS.items()}
    return {name: part for name, part in taken.items() if part is not None}


def restore(learner: Learner, state: Mapping[str, Any]) -> bool:
    """Puts a learner into a captured state; returns whether its environments agree.

    Where they do not, they start a new episode, and the learner is set to that.

    Raises:
        ArtifactRefused: unless the state is of just the items that the learner has.
    """
    expected = capture(learner).keys()
    if state.keys() != expected:
        names = ", ".join(sorted(map(str, state.keys() ^ expected)))
        raise ArtifactRefused(
            f"the snapshot lacks a part of the learner or has one too many ({names}); "
            "use the version and the settings that wrote it or start a new run"
        )
    same_states = True
    for name, item in ((name, ITEMS[name]) for name in ITEMS if name in expected):
        try:
            item.put(learner, state[name])
        except NotFollowed:
            same_states = False
            start_anew(learner)
        except UserError:
            raise
        except Exception as fault:
            raise ArtifactRefused(
                f"the snapshot's {name} do not fit the run's settings ({fault}); "
                "restore config.yml and args.yml or start a new run"
            ) from fault
    return same_states


def digest(learner: Learner) -> str:
    """Returns the SHA-256 of a learner's state, the replay buffer included.

    Without Python's own generator, from which others draw too (runtime type checks
    do): where its draws matter to the training, they show in everything else.
    """
    state = capture(learner)
    state.pop("python", None)
    found = hashlib.sha256(pack_nested(state))
    buffer = getattr(learner, "replay_buffer", None)
    if buffer is not None:
        # One after the other and not packed: together they may fill the memory.
        for column in COLUMNS:
            found.update(np.ascontiguousarray(getattr(buffer, column)).data)
    return found.hexdigest()
