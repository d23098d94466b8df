"""Trainings that take a second."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from rltransfer_agents.training import ALGORITHMS, TrainConfig

Configure: TypeAlias = Callable[..., TrainConfig]

_ON_POLICY = {"n_envs": 2, "n_steps": 16}
_OFF_POLICY = {
    "buffer_size": 300,
    "learning_starts": 40,
    "batch_size": 16,
    "train_freq": 4,
    "gradient_steps": 2,
    "policy_kwargs": {"net_arch": [16]},
}
_CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "ppo": ("CartPole-v1", {**_ON_POLICY, "batch_size": 16, "n_epochs": 2}),
    "a2c": ("CartPole-v1", {**_ON_POLICY, "normalize": True}),
    "dqn": ("CartPole-v1", _OFF_POLICY),
    "sac": ("Pendulum-v1", {**_OFF_POLICY, "use_sde": True}),
    "td3": ("Pendulum-v1", {**_OFF_POLICY, "noise_type": "ornstein-uhlenbeck"}),
}


@pytest.fixture(params=sorted(ALGORITHMS))
def algorithm(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def configure(tmp_path: Path) -> Configure:
    """Returns a function from an algorithm and changes to a small training."""

    def small(algorithm: str, **changes: Any) -> TrainConfig:
        env_id, hyperparameters = _CASES[algorithm]
        hyperparameters = {**hyperparameters, **changes.pop("hyperparameters", {})}
        values: dict[str, Any] = {
            "env_id": env_id,
            "log_folder": tmp_path,
            "steps": 200,
            "seed": 7,
            "evaluations": 2,
            "evaluation_episodes": 1,
            **changes,
        }
        return TrainConfig(
            algorithm=algorithm, hyperparameters=hyperparameters, **values
        )

    return small
