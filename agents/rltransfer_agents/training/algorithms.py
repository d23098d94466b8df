"""The algorithms that can train an agent, and what each one is set to."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from importlib.resources import files
from typing import Any, TypeAlias, final

import yaml
from gymnasium import spaces
from pydantic import BaseModel, ValidationError, create_model
from stable_baselines3 import A2C, DQN, PPO, SAC, TD3
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm
from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm

from rltransfer.argument_checks import data_of_code
from rltransfer.domain import codec_of, observation_codec_of
from rltransfer.errors import InputError
from rltransfer.io import FirstError
from rltransfer_agents.training.hyperparameters import (
    ACTION_NOISE,
    CLOSED,
    OFF_POLICY,
    ON_POLICY,
    STATE_DEPENDENT_EXPLORATION,
    Automatic,
    Count,
    Normalize,
    PolicyKwargs,
    Positive,
    Rows,
    Schedule,
    Share,
    Weight,
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


_CHOICES: tuple[type[spaces.Space[Any]], ...] = (
    spaces.Discrete,
    spaces.MultiDiscrete,
    spaces.MultiBinary,
)

ALGORITHMS: dict[str, Algorithm] = {
    "a2c": Algorithm(
        A2C,
        (*_CHOICES, spaces.Box),
        {**ON_POLICY, "use_rms_prop": bool, "rms_prop_eps": Positive},
    ),
    "dqn": Algorithm(
        DQN,
        (spaces.Discrete,),
        {
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
        (*_CHOICES, spaces.Box),
        {
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
            **OFF_POLICY,
            **STATE_DEPENDENT_EXPLORATION,
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
    observation_codec_of(observations, env_id)
    if isinstance(actions, (*_CHOICES, spaces.Box)):
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


_REQUIRED = "n_timesteps"


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
    fields: dict[str, Any] = {
        key: (kind, ... if key == _REQUIRED else None) for key, kind in kinds.items()
    }
    model: type[BaseModel] = create_model(algorithm, __config__=CLOSED, **fields)
    try:
        return model.model_validate(dict(values)).model_dump(exclude_unset=True)
    except ValidationError as fault:
        raise InputError(_first_fault(algorithm, kinds, values, fault)) from fault


_INNER_KEYS = {*PolicyKwargs.model_fields, *Normalize.model_fields, "pi", "vf", "qf"}


def _first_fault(
    algorithm: str,
    kinds: Mapping[str, Any],
    values: Mapping[str, object],
    fault: ValidationError,
) -> str:
    first = FirstError.of(fault)
    key, *inner = first.path
    if first.kind == "extra_forbidden" and not inner:
        if key in _OPTIONS:
            return f"{key} is no hyperparameter; use {_OPTIONS[key]} {values[key]}"
        if key in PolicyKwargs.model_fields:
            value = data_of_code(values[key]) or values[key]
            return f"{key} is part of policy_kwargs; {_written(key, value)}"
        near = get_close_matches(key, kinds, n=1)
        remedy = f"nearest: {near[0]}" if near else f"known: {', '.join(kinds)}"
        return f"{algorithm} has no hyperparameter {key!r}; {remedy}"
    if first.kind == "missing":
        return f"{algorithm} needs the hyperparameter {key!r}; give it a value"
    plain = data_of_code(values[key])
    if plain is not None:
        given = f"{key} is data and not Python code, got {values[key]!r}"
        return f"{given}; {_written(key, plain)}"
    # Of a union pydantic also names the member that did not fit; no user knows it.
    where = ".".join([key, *(part for part in inner if part in _INNER_KEYS)])
    reason = first.message.removeprefix("Value error, ")
    return f"{algorithm} hyperparameter {where}={first.value!r} is wrong: {reason}"


_OPTIONS = {
    "seed": "--seed",
    "device": "--device",
    "tensorboard_log": "--tensorboard-log",
    "total_timesteps": "--n-timesteps",
    "env_kwargs": "--env-kwargs",
}
"""Arguments of Stable-Baselines3's models that are options of the command."""


def _written(key: str, value: object) -> str:
    if key in PolicyKwargs.model_fields:
        key, value = "policy_kwargs", {key: value}
    return f'write --hyperparams "{key}={value!r}"'


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
    text = files("rltransfer_agents") / "hyperparameters" / f"{algorithm}.yml"
    entries: dict[str, dict[str, Any]] = yaml.safe_load(text.read_text())
    base = (env_kwargs or {}).get("base")
    ids = [env_id, *([base] if isinstance(base, str) else [])]
    known = {_stem(name): entry for name, entry in entries.items()} | entries
    names = (*ids, *map(_stem, ids), "default")
    entry = next(known[name] for name in names if name in known)
    return checked_hyperparameters(algorithm, {**entry, **(overrides or {})})


def _stem(env_id: str) -> str:
    name = env_id.rpartition("/")[2].rpartition(":")[2]
    return re.sub(r"-v\d+$", "", name)
