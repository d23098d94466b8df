"""The algorithms that can train an agent, by name, and how one is made from data."""

from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
import torch
from gymnasium import spaces
from stable_baselines3 import A2C, DQN, PPO, SAC, TD3
from stable_baselines3.common.noise import (
    ActionNoise,
    NormalActionNoise,
    OrnsteinUhlenbeckActionNoise,
)
from stable_baselines3.common.utils import LinearSchedule
from stable_baselines3.common.vec_env import VecEnv, VecNormalize

from rltransfer.errors import InputError
from rltransfer_agents.training.hyperparameters import falling_from

Learner: TypeAlias = A2C | DQN | PPO | SAC | TD3
"""A model of Stable-Baselines3 that learns."""

ALGORITHMS: dict[str, type[A2C] | type[DQN] | type[PPO] | type[SAC] | type[TD3]] = {
    "a2c": A2C,
    "dqn": DQN,
    "ppo": PPO,
    "sac": SAC,
    "td3": TD3,
}

_ACTIONS: dict[str, tuple[type[spaces.Space[Any]], ...]] = {
    "a2c": (spaces.Discrete, spaces.Box),
    "dqn": (spaces.Discrete,),
    "ppo": (spaces.Discrete, spaces.Box),
    "sac": (spaces.Box,),
    "td3": (spaces.Box,),
}
_ACTIVATIONS: dict[str, type[torch.nn.Module]] = {
    "tanh": torch.nn.Tanh,
    "relu": torch.nn.ReLU,
    "elu": torch.nn.ELU,
    "gelu": torch.nn.GELU,
    "silu": torch.nn.SiLU,
    "leaky_relu": torch.nn.LeakyReLU,
}
_NOISES: dict[str, type[NormalActionNoise] | type[OrnsteinUhlenbeckActionNoise]] = {
    "normal": NormalActionNoise,
    "ornstein-uhlenbeck": OrnsteinUhlenbeckActionNoise,
}
_NOT_FOR_THE_MODEL = ("n_timesteps", "n_envs", "normalize", "noise_type", "noise_std")


def require_algorithm(algorithm: str) -> None:
    """Raises unless `algorithm` can train."""
    if algorithm not in ALGORITHMS:
        raise InputError(
            f"--algo is one of {', '.join(ALGORITHMS)}, got {algorithm!r}; choose one"
        )


def require_spaces(
    algorithm: str,
    env_id: str,
    observations: spaces.Space[Any],
    actions: spaces.Space[Any],
) -> None:
    """Raises unless `algorithm` can act in an environment with these spaces."""
    if not isinstance(observations, spaces.Box) or len(observations.shape) != 1:
        raise InputError(
            f"agents learn from observations that are one vector, {env_id} has "
            f"{observations}; wrap it with gymnasium.wrappers.FlattenObservation"
        )
    if not isinstance(actions, _ACTIONS[algorithm]):
        able = [name for name, kinds in _ACTIONS.items() if isinstance(actions, kinds)]
        remedy = (
            f"--algo {' or '.join(able)} can"
            if able
            else "choose an environment with Discrete or Box actions"
        )
        raise InputError(f"{algorithm} cannot act in {env_id} with {actions}; {remedy}")


def normalised(envs: VecEnv, hyperparameters: Mapping[str, Any]) -> VecEnv:
    """Returns `envs`, behind running statistics where the hyperparameters ask so."""
    choice = hyperparameters.get("normalize", False)
    if choice is False:
        return envs
    parts = {} if choice is True else choice
    return VecNormalize(envs, gamma=hyperparameters.get("gamma", 0.99), **parts)


def make_learner(
    algorithm: str,
    envs: VecEnv,
    hyperparameters: Mapping[str, Any],
    *,
    seed: int,
    device: str,
) -> Learner:
    """Returns a fresh model; the process's global generators are seeded by it.

    Args:
        algorithm: a name in `ALGORITHMS`.
        envs: what it will learn in.
        hyperparameters: checked plain data.
        seed: of weights, exploration and environments.
        device: as torch names it.
    """
    arguments = {
        name: _live(value)
        for name, value in hyperparameters.items()
        if name not in _NOT_FOR_THE_MODEL
    }
    if "policy_kwargs" in arguments:
        arguments["policy_kwargs"] = _network(arguments["policy_kwargs"])
    if "noise_type" in hyperparameters:
        arguments["action_noise"] = _noise(hyperparameters, envs.action_space)
    arguments.setdefault("policy", "MlpPolicy")
    return ALGORITHMS[algorithm](env=envs, seed=seed, device=device, **arguments)


def _live(value: Any) -> Any:
    start = falling_from(value)
    # A class of Stable-Baselines3's own, so that a saved model needs nothing of ours.
    return value if start is None else LinearSchedule(start, 0.0, 1.0)


def _network(choices: Mapping[str, Any]) -> dict[str, Any]:
    given = {name: value for name, value in choices.items() if value is not None}
    if "activation_fn" in given:
        given["activation_fn"] = _ACTIVATIONS[given["activation_fn"]]
    return given


def _noise(
    hyperparameters: Mapping[str, Any], actions: spaces.Space[Any]
) -> ActionNoise:
    assert actions.shape is not None
    deviation = np.full(actions.shape, hyperparameters.get("noise_std", 0.1))
    noise = _NOISES[hyperparameters["noise_type"]]
    return noise(np.zeros(actions.shape), deviation)
