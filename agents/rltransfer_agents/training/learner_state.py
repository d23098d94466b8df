"""The state of a learner, item by item; without any one, training would differ."""

import copy
import hashlib
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, final

import numpy as np
import torch
from stable_baselines3.common.noise import ActionNoise, VectorizedActionNoise
from stable_baselines3.common.running_mean_std import RunningMeanStd
from stable_baselines3.common.vec_env import VecNormalize

from rltransfer.errors import ArtifactRefused, UserError
from rltransfer.io.nested_values import pack_nested
from rltransfer.wrappers import EnvSnapshot
from rltransfer_agents.training.algorithms import Learner
from rltransfer_agents.training.replay_rows import COLUMNS
from rltransfer_agents.training.vector_env import vector_env_of


@final
@dataclass(frozen=True)
class Item:
    """How one part is taken from a learner and put into another."""

    take: Callable[[Learner], Any]
    """Gives None where a learner has no such part."""
    put: Callable[[Learner, Any], None]


def attributes(
    *names: str, of: Callable[[Learner], Any] = lambda learner: learner
) -> Item:
    """Returns the item of plain attributes, as far as there are such.

    Args:
        names: of the attributes.
        of: gives the object that has them, or None where a learner has none.
    """

    def take(learner: Learner) -> dict[str, Any] | None:
        owner = of(learner)
        if owner is None:
            return None
        return {name: getattr(owner, name) for name in names if hasattr(owner, name)}

    def put(learner: Learner, values: dict[str, Any]) -> None:
        expected = take(learner) or {}
        if values.keys() != expected.keys():
            raise ValueError(f"expected {sorted(expected)}, got {list(values)}")
        for name, value in values.items():
            setattr(of(learner), name, value)

    return Item(take, put)


def _temperature(learner: Learner) -> torch.Tensor | None:
    """Of soft actor-critics, where it is learnt."""
    return getattr(learner, "log_ent_coef", None)


def _put_temperature(learner: Learner, value: torch.Tensor) -> None:
    temperature = _temperature(learner)
    assert temperature is not None
    temperature.data.copy_(value)


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


def _exploring(learner: Learner) -> Any:
    if not learner.use_sde:
        return None
    return getattr(learner, "actor", learner.policy).action_dist


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
    return {
        "statistics": {
            name: {key: getattr(seen, key) for key in ("mean", "var", "count")}
            for name, seen in _statistics(envs).items()
        },
        "returns": envs.returns,
        # Missing until the first step.
        "old_obs": getattr(envs, "old_obs", None),
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


class _NotFollowed(Exception):
    """The same actions led an environment to another state."""


def _put_environments(learner: Learner, snapshots: list[dict[str, Any]]) -> None:
    wanted = [EnvSnapshot(**snapshot) for snapshot in snapshots]
    if not vector_env_of(learner).restore(wanted):
        raise _NotFollowed


def _start_anew(learner: Learner) -> None:
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


def _generator_of_actions(learner: Learner) -> np.random.BitGenerator:
    return learner.action_space.np_random.bit_generator


# In the order in which they are put back. The environments are stepped again, which
# may draw from the generators of the process: those come after.
ITEMS: dict[str, Item] = {
    "counters": attributes(
        "num_timesteps",
        "exploration_rate",
        "_current_progress_remaining",
        "_episode_num",
        "_n_calls",
        "_n_updates",
    ),
    # Networks and optimizers.
    "weights": Item(
        lambda learner: learner.get_parameters(),
        lambda learner, weights: learner.set_parameters(
            weights, exact_match=True, device=learner.device
        ),
    ),
    "temperature": Item(_temperature, _put_temperature),
    "recent_episodes": Item(_take_recent, _put_recent),
    "state_dependent_exploration": attributes(
        "exploration_mat", "exploration_matrices", of=_exploring
    ),
    "action_noise": Item(_take_noise, _put_noise),
    "buffer_position": attributes(
        "pos", "full", of=lambda learner: getattr(learner, "replay_buffer", None)
    ),
    "normalisation": Item(_take_normalisation, _put_normalisation),
    "last_step": attributes("_last_obs", "_last_episode_starts", "_last_original_obs"),
    "environments": Item(
        lambda learner: [vars(one) for one in vector_env_of(learner).snapshots()],
        _put_environments,
    ),
    # Stable-Baselines3 draws from the generators of the process, not from its own.
    "torch": Item(
        lambda learner: torch.get_rng_state(),
        lambda learner, state: torch.set_rng_state(state),
    ),
    "numpy": Item(
        lambda learner: np.random.get_state(legacy=False),
        lambda learner, state: np.random.set_state(state),
    ),
    "python": Item(
        lambda learner: random.getstate(),
        lambda learner, state: random.setstate(state),
    ),
    "random_actions": Item(
        lambda learner: copy.deepcopy(_generator_of_actions(learner).state),
        lambda learner, state: setattr(_generator_of_actions(learner), "state", state),
    ),
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
    for name in expected:
        try:
            ITEMS[name].put(learner, state[name])
        except _NotFollowed:
            same_states = False
            _start_anew(learner)
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
