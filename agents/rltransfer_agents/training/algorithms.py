"""The algorithms that can train an agent, with all that tells one from another."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias, final

from gymnasium import spaces
from stable_baselines3 import A2C, DQN, PPO, SAC, TD3
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm
from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm

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
