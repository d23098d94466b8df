"""The algorithms that can train an agent, a row each, and how a model is made."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias, final

import numpy as np
import torch
from gymnasium import spaces
from stable_baselines3 import A2C, DQN, PPO, SAC, TD3
from stable_baselines3.common.noise import (
    ActionNoise,
    NormalActionNoise,
    OrnsteinUhlenbeckActionNoise,
)
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm
from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm
from stable_baselines3.common.type_aliases import TrainFreq, TrainFrequencyUnit
from stable_baselines3.common.utils import LinearSchedule
from stable_baselines3.common.vec_env import VecEnv, VecNormalize

from rltransfer.domain.action_codec import codec_of, observation_size_of
from rltransfer.errors import InputError
from rltransfer_agents.training.hyperparameters import (
    ACTION_NOISE,
    EVERY,
    OFF_POLICY,
    ON_POLICY,
    STATE_DEPENDENT_EXPLORATION,
    Automatic,
    Count,
    Positive,
    Rows,
    Schedule,
    Share,
    Weight,
    check_values,
    schedule_start,
    tuned_entry,
)

Learner: TypeAlias = OnPolicyAlgorithm | OffPolicyAlgorithm
"""A model of Stable-Baselines3 that learns."""


@final
@dataclass(frozen=True)
class Algorithm:
    """What training has to know of an algorithm; its YAML file holds tuned values."""

    model: type[OnPolicyAlgorithm] | type[OffPolicyAlgorithm]
    actions: tuple[type[spaces.Space[Any]], ...]
    """Kinds of action spaces that it can act in."""
    hyperparameters: Mapping[str, Any]
    """What each of its hyperparameters may be, as pydantic checks it."""


ALGORITHMS: dict[str, Algorithm] = {
    "a2c": Algorithm(
        A2C,
        (spaces.Discrete, spaces.Box),
        {
            **EVERY,
            **STATE_DEPENDENT_EXPLORATION,
            **ON_POLICY,
            "use_rms_prop": bool,
            "rms_prop_eps": Positive,
        },
    ),
    "dqn": Algorithm(
        DQN,
        (spaces.Discrete,),
        {
            **EVERY,
            **OFF_POLICY,
            "target_update_interval": Count,
            "exploration_fraction": Share,
            "exploration_initial_eps": Share,
            "exploration_final_eps": Share,
            "max_grad_norm": Positive,
        },
    ),
    "ppo": Algorithm(
        PPO,
        (spaces.Discrete, spaces.Box),
        {
            **EVERY,
            **STATE_DEPENDENT_EXPLORATION,
            **ON_POLICY,
            "batch_size": Rows,
            "n_epochs": Count,
            "clip_range": Schedule,
            "target_kl": Positive,
        },
    ),
    "sac": Algorithm(
        SAC,
        (spaces.Box,),
        {
            **EVERY,
            **STATE_DEPENDENT_EXPLORATION,
            **OFF_POLICY,
            **ACTION_NOISE,
            "ent_coef": Weight | Automatic,
            "target_update_interval": Count,
            "use_sde_at_warmup": bool,
        },
    ),
    "td3": Algorithm(
        TD3,
        (spaces.Box,),
        {
            **EVERY,
            **OFF_POLICY,
            **ACTION_NOISE,
            "policy_delay": Count,
            "target_policy_noise": Weight,
            "target_noise_clip": Weight,
        },
    ),
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
    """Raises unless `algorithm` can act in an environment with these spaces.

    They must also be ones that can be mapped: a source is trained to transfer from.
    """
    observation_size_of(observations, env_id)
    if isinstance(actions, spaces.Discrete | spaces.Box):
        codec_of(actions, env_id)
    if _takes(algorithm, actions):
        return
    able = [name for name in ALGORITHMS if _takes(name, actions)]
    remedy = (
        f"--algo {' or '.join(able)} can"
        if able
        else "choose an environment with Discrete or Box actions"
    )
    fixed = isinstance(actions, ALGORITHMS[algorithm].actions)
    why = ", of which some cannot move (low == high)" if fixed else ""
    raise InputError(
        f"{algorithm} cannot act in {env_id} with {actions}{why}; {remedy}"
    )


def _takes(algorithm: str, actions: spaces.Space[Any]) -> bool:
    row = ALGORITHMS[algorithm]
    # Off-policy, SB3 scales actions from their low to their high to [-1, 1].
    if isinstance(actions, spaces.Box) and issubclass(row.model, OffPolicyAlgorithm):
        if (actions.low == actions.high).any():
            return False
    return isinstance(actions, row.actions)


def checked_hyperparameters(
    algorithm: str, values: Mapping[str, object]
) -> dict[str, Any]:
    """Returns a complete set of hyperparameters with numbers as numbers.

    Args:
        algorithm: a name in `ALGORITHMS`.
        values: read from YAML or the command line, in RL Zoo's words; what is not given
            keeps Stable-Baselines3's own default.

    Raises:
        InputError: naming the key, its value and what is allowed.
    """
    kinds = ALGORITHMS[algorithm].hyperparameters
    return check_values(algorithm, kinds, values)


def tuned_hyperparameters(
    algorithm: str,
    env_id: str,
    env_kwargs: Mapping[str, object] | None = None,
    overrides: Mapping[str, object] | None = None,
) -> dict[str, Any]:
    """Returns the hyperparameters for an environment, as plain data.

    The entry is that of the environment itself; else of the environment that it is
    made from (its keyword argument `base`); else of another version or relative of
    the same name; else `default`.

    Args:
        algorithm: a name in `ALGORITHMS`.
        env_id: as registered with Gymnasium.
        env_kwargs: what the environment is made with.
        overrides: replace values of the entry, key by key.
    """
    entry = tuned_entry(algorithm, env_id, env_kwargs or {})
    return checked_hyperparameters(algorithm, {**entry, **(overrides or {})})


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
        name: _number_or_schedule(value)
        for name, value in hyperparameters.items()
        if name not in _NOT_FOR_THE_MODEL
    }
    if "policy_kwargs" in arguments:
        arguments["policy_kwargs"] = _policy_kwargs(arguments["policy_kwargs"])
    if "noise_type" in hyperparameters:
        arguments["action_noise"] = _noise(hyperparameters, envs.action_space)
    arguments.setdefault("policy", "MlpPolicy")
    model = ALGORITHMS[algorithm].model
    try:
        return model(env=envs, seed=seed, device=device, **arguments)
    # What Stable-Baselines3 and its networks say of values that do not go together.
    except (AssertionError, LookupError, TypeError, ValueError) as fault:
        reason = " ".join(str(fault).split())
        raise InputError(
            f"{algorithm} does not take these hyperparameters together ({reason}); "
            f"change one of {', '.join(hyperparameters)}"
        ) from fault


def planned_steps(learner: Learner, steps: int) -> int:
    """Returns how many steps a training takes that is asked for `steps`.

    It ends with a whole rollout. One of whole episodes cannot be foreseen, and counts
    as one step.
    """
    if isinstance(learner, OnPolicyAlgorithm):
        rollout = learner.n_steps * learner.n_envs
    else:
        frequency = learner.train_freq
        assert isinstance(frequency, TrainFreq)
        by_step = frequency.unit is TrainFrequencyUnit.STEP
        rollout = frequency.frequency * learner.n_envs if by_step else 1
    return -(-steps // rollout) * rollout


def require_updates(algorithm: str, learner: Learner, steps: int) -> None:
    """Raises if a training of `steps` would end without a single update."""
    if isinstance(learner, OnPolicyAlgorithm):
        return
    if learner.learning_starts >= steps:
        raise InputError(
            f"{algorithm} begins to learn after learning_starts="
            f"{learner.learning_starts} steps, and {steps} are all there are; give "
            f"more with -n, or lower it: --hyperparams learning_starts={steps // 2}"
        )
    frequency = learner.train_freq
    assert isinstance(frequency, TrainFreq)
    if frequency.unit is TrainFrequencyUnit.EPISODE and learner.n_envs > 1:
        raise InputError(
            f"{algorithm} takes a train_freq of episodes in one environment, got "
            f"n_envs={learner.n_envs}; add --hyperparams n_envs=1"
        )


def _number_or_schedule(value: Any) -> Any:
    start = schedule_start(value)
    # A class of Stable-Baselines3's own, so that a saved model needs nothing of ours.
    return value if start is None else LinearSchedule(start, 0.0, 1.0)


def _policy_kwargs(choices: Mapping[str, Any]) -> dict[str, Any]:
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
