"""Which hyperparameters each algorithm has."""

from typing import Annotated, Any, Literal

from pydantic import Field

from rltransfer_agents.training.hyperparameters.kinds import (
    Count,
    Network,
    Normalisation,
    Positive,
    Rows,
    Schedule,
    Share,
    Start,
    Weight,
)

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
