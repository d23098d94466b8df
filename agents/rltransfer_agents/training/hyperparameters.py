"""Hyperparameters as plain data: a closed set of keys for each algorithm.

Keys and spellings are RL Zoo's, except that nothing is an expression to evaluate:
networks and activations are named, a schedule that falls to zero is `lin_START`.
"""

import math
import re
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    create_model,
)

from rltransfer.errors import InputError

_LINEAR = re.compile(r"lin_(\d*\.?\d+(?:[eE][-+]?\d+)?)")


def falling_from(value: float | str) -> float | None:
    """Returns where the schedule `lin_START` starts, nothing for other values."""
    match = _LINEAR.fullmatch(value) if isinstance(value, str) else None
    return float(match[1]) if match else None


def _number_or_schedule(value: float | str) -> float | str:
    start = falling_from(value)
    number = float(value) if start is None else start
    if not 0 < number < math.inf:
        raise ValueError("a rate is above zero and finite, or lin_START")
    return number if start is None else value


# The upper bounds stand far above any use; they keep a slip of the pen from
# allocating all memory.
_Count: TypeAlias = Annotated[int, Field(ge=1, le=10**9)]
_Rows: TypeAlias = Annotated[int, Field(ge=1, le=10**7)]
_Start: TypeAlias = Annotated[int, Field(ge=0, le=10**9)]
_Share: TypeAlias = Annotated[float, Field(ge=0, le=1)]
_Weight: TypeAlias = Annotated[float, Field(ge=0, allow_inf_nan=False)]
_Positive: TypeAlias = Annotated[float, Field(gt=0, allow_inf_nan=False)]
_Schedule: TypeAlias = Annotated[float | str, AfterValidator(_number_or_schedule)]
_Width: TypeAlias = Annotated[int, Field(ge=1, le=10**4)]
_Widths: TypeAlias = Annotated[list[_Width], Field(max_length=16)]
_Activation: TypeAlias = Literal["tanh", "relu", "elu", "gelu", "silu", "leaky_relu"]

_CLOSED = ConfigDict(extra="forbid", frozen=True)


class _Network(BaseModel):
    """What SB3 calls `policy_kwargs`, as far as it is plain data."""

    model_config = _CLOSED

    net_arch: _Widths | dict[Literal["pi", "vf", "qf"], _Widths] | None = None
    activation_fn: _Activation | None = None
    log_std_init: Annotated[float, Field(ge=-20, le=2)] | None = None
    ortho_init: bool | None = None


class _Normalisation(BaseModel):
    """What `VecNormalize` normalises."""

    model_config = _CLOSED

    norm_obs: bool = True
    norm_reward: bool = True


_INNER_KEYS = {*_Network.model_fields, *_Normalisation.model_fields, "pi", "vf", "qf"}
_REQUIRED = "n_timesteps"
_EVERY: dict[str, Any] = {
    "policy": Literal["MlpPolicy"],
    "n_timesteps": _Count,
    "n_envs": Annotated[int, Field(ge=1, le=1024)],
    "normalize": bool | _Normalisation,
    "policy_kwargs": _Network,
    "learning_rate": _Schedule,
    "gamma": _Share,
}
_EXPLORING_BY_STATE: dict[str, Any] = {
    "use_sde": bool,
    "sde_sample_freq": Annotated[int, Field(ge=-1)],
}
_ON_POLICY: dict[str, Any] = {
    "n_steps": _Rows,
    "gae_lambda": _Share,
    "ent_coef": _Weight,
    "vf_coef": _Weight,
    "max_grad_norm": _Positive,
    "normalize_advantage": bool,
}
_OFF_POLICY: dict[str, Any] = {
    "buffer_size": _Rows,
    "learning_starts": _Start,
    "batch_size": _Rows,
    "tau": _Share,
    "train_freq": _Count | tuple[_Count, Literal["step", "episode"]],
    "gradient_steps": Annotated[int, Field(ge=-1, le=10**6)],
}
_NOISY: dict[str, Any] = {
    "noise_type": Literal["normal", "ornstein-uhlenbeck"],
    "noise_std": _Weight,
}
_FIELDS: dict[str, dict[str, Any]] = {
    "ppo": {
        **_EVERY,
        **_EXPLORING_BY_STATE,
        **_ON_POLICY,
        "batch_size": _Rows,
        "n_epochs": _Count,
        "clip_range": _Schedule,
        "target_kl": _Positive,
    },
    "a2c": {
        **_EVERY,
        **_EXPLORING_BY_STATE,
        **_ON_POLICY,
        "use_rms_prop": bool,
        "rms_prop_eps": _Positive,
    },
    "dqn": {
        **_EVERY,
        **_OFF_POLICY,
        "target_update_interval": _Count,
        "exploration_fraction": _Share,
        "exploration_initial_eps": _Share,
        "exploration_final_eps": _Share,
        "max_grad_norm": _Positive,
    },
    "sac": {
        **_EVERY,
        **_EXPLORING_BY_STATE,
        **_OFF_POLICY,
        **_NOISY,
        "ent_coef": _Weight | Annotated[str, Field(pattern=r"^auto(_\d*\.?\d+)?$")],
        "target_update_interval": _Count,
        "use_sde_at_warmup": bool,
    },
    "td3": {
        **_EVERY,
        **_OFF_POLICY,
        **_NOISY,
        "policy_delay": _Count,
        "target_policy_noise": _Weight,
        "target_noise_clip": _Weight,
    },
}


def _model_of(algorithm: str) -> type[BaseModel]:
    # A key that is not given keeps Stable-Baselines3's own default.
    fields: dict[str, Any] = {
        key: (kind, ... if key == _REQUIRED else None)
        for key, kind in _FIELDS[algorithm].items()
    }
    return create_model(algorithm, __config__=_CLOSED, **fields)


_MODELS = {algorithm: _model_of(algorithm) for algorithm in _FIELDS}


def checked_hyperparameters(
    algorithm: str, values: Mapping[str, object]
) -> dict[str, Any]:
    """Returns `values` with numbers as numbers; only keys that were given appear.

    Args:
        algorithm: a name in `ALGORITHMS`.
        values: read from YAML or the command line, spelt as RL Zoo does.

    Raises:
        InputError: naming the key, its value and what is allowed.
    """
    model = _MODELS[algorithm]
    try:
        return model.model_validate(dict(values)).model_dump(exclude_unset=True)
    except ValidationError as fault:
        raise InputError(_first_fault(algorithm, fault)) from fault


def _first_fault(algorithm: str, fault: ValidationError) -> str:
    first = fault.errors()[0]
    key, *inner = (str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden" and not inner:
        known = list(_FIELDS[algorithm])
        near = get_close_matches(key, known, n=1)
        remedy = f"nearest: {near[0]}" if near else f"known: {', '.join(known)}"
        return f"{algorithm} has no hyperparameter {key!r}; {remedy}"
    if first["type"] == "missing":
        return f"{algorithm} needs the hyperparameter {key!r}; give it a value"
    # Of a union pydantic also names the member that did not fit; no user knows it.
    where = ".".join([key, *(part for part in inner if part in _INNER_KEYS)])
    reason = first["msg"].removeprefix("Value error, ")
    return f"{algorithm} hyperparameter {where}={first['input']!r} is wrong: {reason}"
