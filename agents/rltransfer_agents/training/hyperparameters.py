"""Hyperparameters as plain data: what values they may have, and the tuned ones."""

import math
import re
from collections.abc import Mapping
from difflib import get_close_matches
from importlib.resources import files
from typing import Annotated, Any, Literal, TypeAlias

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    create_model,
)

from rltransfer.argument_checks import data_of_code
from rltransfer.errors import InputError
from rltransfer.io import FirstError

_LINEAR = re.compile(r"lin_(\d*\.?\d+(?:[eE][-+]?\d+)?)")


def schedule_start(value: object) -> float | None:
    """Returns where the schedule `lin_START` starts, nothing for other values."""
    match = _LINEAR.fullmatch(value) if isinstance(value, str) else None
    return float(match[1]) if match else None


def _number_or_schedule(value: float | str) -> float | str:
    start = schedule_start(value)
    try:
        number = float(value) if start is None else start
    except ValueError:
        number = math.nan
    if not 0 < number < math.inf:
        raise ValueError("a rate is a number above zero, or lin_START")
    return number if start is None else value


def _learns(gradient_steps: int) -> int:
    if gradient_steps == 0:
        raise ValueError("nothing is learnt from 0 updates, -1 is one for each step")
    return gradient_steps


# The upper bounds are far above any use; they keep a typing error from allocating all
# memory.
Count: TypeAlias = Annotated[int, Field(ge=1, le=10**9)]
Rows: TypeAlias = Annotated[int, Field(ge=1, le=10**7)]
Start: TypeAlias = Annotated[int, Field(ge=0, le=10**9)]
Share: TypeAlias = Annotated[float, Field(ge=0, le=1)]
Weight: TypeAlias = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Positive: TypeAlias = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Schedule: TypeAlias = Annotated[float | str, AfterValidator(_number_or_schedule)]
Automatic: TypeAlias = Annotated[str, Field(pattern=r"^auto(_\d*\.?\d+)?$")]
Width: TypeAlias = Annotated[int, Field(ge=1, le=10**4)]
Widths: TypeAlias = Annotated[list[Width], Field(max_length=16)]
Activation: TypeAlias = Literal["tanh", "relu", "elu", "gelu", "silu", "leaky_relu"]

_CLOSED = ConfigDict(extra="forbid", frozen=True)


class PolicyKwargs(BaseModel):
    """The arguments of a policy's networks, as far as they are plain data."""

    model_config = _CLOSED

    net_arch: Widths | dict[Literal["pi", "vf", "qf"], Widths] | None = None
    activation_fn: Activation | None = None
    log_std_init: Annotated[float, Field(ge=-20, le=2)] | None = None
    ortho_init: bool | None = None


class Normalize(BaseModel):
    """What `VecNormalize` normalises."""

    model_config = _CLOSED

    norm_obs: bool = True
    norm_reward: bool = True


EVERY: dict[str, Any] = {
    "policy": Literal["MlpPolicy"],
    "n_timesteps": Count,
    "n_envs": Annotated[int, Field(ge=1, le=1024)],
    "normalize": bool | Normalize,
    "policy_kwargs": PolicyKwargs,
    "learning_rate": Schedule,
    "gamma": Share,
}
"""What every algorithm has, by name, as annotations that pydantic checks."""
STATE_DEPENDENT_EXPLORATION: dict[str, Any] = {
    "use_sde": bool,
    "sde_sample_freq": Annotated[int, Field(ge=-1)],
}
ON_POLICY: dict[str, Any] = {
    "n_steps": Rows,
    "gae_lambda": Share,
    "ent_coef": Weight,
    "vf_coef": Weight,
    "max_grad_norm": Positive,
    "normalize_advantage": bool,
}
OFF_POLICY: dict[str, Any] = {
    "buffer_size": Rows,
    "learning_starts": Start,
    "batch_size": Rows,
    "tau": Share,
    "train_freq": Count | tuple[Count, Literal["step", "episode"]],
    "gradient_steps": Annotated[int, Field(ge=-1, le=10**6), AfterValidator(_learns)],
}
ACTION_NOISE: dict[str, Any] = {
    "noise_type": Literal["normal", "ornstein-uhlenbeck"],
    "noise_std": Weight,
}

_REQUIRED = "n_timesteps"
_INNER_KEYS = {*PolicyKwargs.model_fields, *Normalize.model_fields, "pi", "vf", "qf"}


def check_values(
    algorithm: str, kinds: Mapping[str, Any], values: Mapping[str, object]
) -> dict[str, Any]:
    """Returns `values` as what `kinds` say; only keys that were given appear.

    Raises:
        InputError: naming the key, its value and what is allowed.
    """
    # A key that is not given keeps Stable-Baselines3's own default.
    fields: dict[str, Any] = {
        key: (kind, ... if key == _REQUIRED else None) for key, kind in kinds.items()
    }
    model: type[BaseModel] = create_model(algorithm, __config__=_CLOSED, **fields)
    try:
        return model.model_validate(dict(values)).model_dump(exclude_unset=True)
    except ValidationError as fault:
        raise InputError(_first_fault(algorithm, kinds, values, fault)) from fault


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


_DEFAULT = "default"


def tuned_entry(
    algorithm: str, env_id: str, env_kwargs: Mapping[str, object]
) -> dict[str, Any]:
    """Returns what the algorithm's YAML file says for an environment, unchecked."""
    text = files("rltransfer_agents") / "hyperparameters" / f"{algorithm}.yml"
    entries: dict[str, dict[str, Any]] = yaml.safe_load(text.read_text())
    return entries[_entry_name(entries, env_id, env_kwargs)]


def _entry_name(
    entries: Mapping[str, object], env_id: str, env_kwargs: Mapping[str, object]
) -> str:
    base = env_kwargs.get("base")
    candidates = [env_id, *([base] if isinstance(base, str) else [])]
    for candidate in candidates:
        if candidate in entries:
            return candidate
    stems = {_stem(name): name for name in entries}
    for candidate in candidates:
        if _stem(candidate) in stems:
            return stems[_stem(candidate)]
    return _DEFAULT


def _stem(env_id: str) -> str:
    name = env_id.rpartition("/")[2].rpartition(":")[2]
    return re.sub(r"-v\d+$", "", name)
