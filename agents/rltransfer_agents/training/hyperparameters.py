"""Hyperparameters as plain data: a closed set of keys for each algorithm."""

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

from rltransfer.errors import InputError

_LINEAR = re.compile(r"lin_(\d*\.?\d+(?:[eE][-+]?\d+)?)")


def falling_from(value: object) -> float | None:
    """Returns where the schedule `lin_START` starts, nothing for other values."""
    match = _LINEAR.fullmatch(value) if isinstance(value, str) else None
    return float(match[1]) if match else None


def number_or_schedule(value: float | str) -> float | str:
    """Returns a checked rate: a number, or the name of a schedule."""
    start = falling_from(value)
    try:
        number = float(value) if start is None else start
    except ValueError:
        number = math.nan
    if not 0 < number < math.inf:
        raise ValueError("a rate is a number above zero, or lin_START")
    return number if start is None else value


# The upper bounds stand far above any use; they keep a slip of the pen from
# allocating all memory.
Count: TypeAlias = Annotated[int, Field(ge=1, le=10**9)]
Rows: TypeAlias = Annotated[int, Field(ge=1, le=10**7)]
Start: TypeAlias = Annotated[int, Field(ge=0, le=10**9)]
Share: TypeAlias = Annotated[float, Field(ge=0, le=1)]
Weight: TypeAlias = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Positive: TypeAlias = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Schedule: TypeAlias = Annotated[float | str, AfterValidator(number_or_schedule)]
Width: TypeAlias = Annotated[int, Field(ge=1, le=10**4)]
Widths: TypeAlias = Annotated[list[Width], Field(max_length=16)]
Activation: TypeAlias = Literal["tanh", "relu", "elu", "gelu", "silu", "leaky_relu"]

CLOSED = ConfigDict(extra="forbid", frozen=True)


class Network(BaseModel):
    """What SB3 calls `policy_kwargs`, as far as it is plain data."""

    model_config = CLOSED

    net_arch: Widths | dict[Literal["pi", "vf", "qf"], Widths] | None = None
    activation_fn: Activation | None = None
    log_std_init: Annotated[float, Field(ge=-20, le=2)] | None = None
    ortho_init: bool | None = None


class Normalisation(BaseModel):
    """What `VecNormalize` normalises."""

    model_config = CLOSED

    norm_obs: bool = True
    norm_reward: bool = True


REQUIRED = "n_timesteps"
_EVERY: dict[str, Any] = {
    "policy": Literal["MlpPolicy"],
    "n_timesteps": Count,
    "n_envs": Annotated[int, Field(ge=1, le=1024)],
    "normalize": bool | Normalisation,
    "policy_kwargs": Network,
    "learning_rate": Schedule,
    "gamma": Share,
}
_EXPLORING_BY_STATE: dict[str, Any] = {
    "use_sde": bool,
    "sde_sample_freq": Annotated[int, Field(ge=-1)],
}
_ON_POLICY: dict[str, Any] = {
    "n_steps": Rows,
    "gae_lambda": Share,
    "ent_coef": Weight,
    "vf_coef": Weight,
    "max_grad_norm": Positive,
    "normalize_advantage": bool,
}
_OFF_POLICY: dict[str, Any] = {
    "buffer_size": Rows,
    "learning_starts": Start,
    "batch_size": Rows,
    "tau": Share,
    "train_freq": Count | tuple[Count, Literal["step", "episode"]],
    "gradient_steps": Annotated[int, Field(ge=-1, le=10**6)],
}
_NOISY: dict[str, Any] = {
    "noise_type": Literal["normal", "ornstein-uhlenbeck"],
    "noise_std": Weight,
}
KEYS: dict[str, dict[str, Any]] = {
    "ppo": {
        **_EVERY,
        **_EXPLORING_BY_STATE,
        **_ON_POLICY,
        "batch_size": Rows,
        "n_epochs": Count,
        "clip_range": Schedule,
        "target_kl": Positive,
    },
    "a2c": {
        **_EVERY,
        **_EXPLORING_BY_STATE,
        **_ON_POLICY,
        "use_rms_prop": bool,
        "rms_prop_eps": Positive,
    },
    "dqn": {
        **_EVERY,
        **_OFF_POLICY,
        "target_update_interval": Count,
        "exploration_fraction": Share,
        "exploration_initial_eps": Share,
        "exploration_final_eps": Share,
        "max_grad_norm": Positive,
    },
    "sac": {
        **_EVERY,
        **_EXPLORING_BY_STATE,
        **_OFF_POLICY,
        **_NOISY,
        "ent_coef": Weight | Annotated[str, Field(pattern=r"^auto(_\d*\.?\d+)?$")],
        "target_update_interval": Count,
        "use_sde_at_warmup": bool,
    },
    "td3": {
        **_EVERY,
        **_OFF_POLICY,
        **_NOISY,
        "policy_delay": Count,
        "target_policy_noise": Weight,
        "target_noise_clip": Weight,
    },
}


_INNER_KEYS = {*Network.model_fields, *Normalisation.model_fields, "pi", "vf", "qf"}


def _model_of(algorithm: str) -> type[BaseModel]:
    # A key that is not given keeps Stable-Baselines3's own default.
    fields: dict[str, Any] = {
        key: (kind, ... if key == REQUIRED else None)
        for key, kind in KEYS[algorithm].items()
    }
    return create_model(algorithm, __config__=CLOSED, **fields)


_MODELS = {algorithm: _model_of(algorithm) for algorithm in KEYS}


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
        known = list(KEYS[algorithm])
        near = get_close_matches(key, known, n=1)
        remedy = f"nearest: {near[0]}" if near else f"known: {', '.join(known)}"
        return f"{algorithm} has no hyperparameter {key!r}; {remedy}"
    if first["type"] == "missing":
        return f"{algorithm} needs the hyperparameter {key!r}; give it a value"
    # Of a union pydantic also names the member that did not fit; no user knows it.
    where = ".".join([key, *(part for part in inner if part in _INNER_KEYS)])
    reason = first["msg"].removeprefix("Value error, ")
    return f"{algorithm} hyperparameter {where}={first['input']!r} is wrong: {reason}"


_DEFAULT = "default"


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
    entry = entries[_entry_name(entries, env_id, env_kwargs or {})]
    return checked_hyperparameters(algorithm, {**entry, **(overrides or {})})


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
