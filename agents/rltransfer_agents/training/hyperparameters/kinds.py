"""What values a hyperparameter may take."""

from typing import Annotated, Literal, TypeAlias

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from rltransfer_agents.training.hyperparameters.schedules import number_or_schedule

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
