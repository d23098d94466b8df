"""Hyperparameters as plain data: what values they may have, as pydantic checks it."""

import math
import re
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

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

CLOSED = ConfigDict(extra="forbid", frozen=True)


class PolicyKwargs(BaseModel):
    """The arguments of a policy's networks, as far as they are plain data."""

    model_config = CLOSED

    net_arch: Widths | dict[Literal["pi", "vf", "qf"], Widths] | None = None
    activation_fn: Activation | None = None
    log_std_init: Annotated[float, Field(ge=-20, le=2)] | None = None
    ortho_init: bool | None = None


class Normalize(BaseModel):
    """What `VecNormalize` normalises."""

    model_config = CLOSED

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
    **EVERY,
    **STATE_DEPENDENT_EXPLORATION,
    "n_steps": Rows,
    "gae_lambda": Share,
    "ent_coef": Weight,
    "vf_coef": Weight,
    "max_grad_norm": Positive,
    "normalize_advantage": bool,
}
OFF_POLICY: dict[str, Any] = {
    **EVERY,
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
