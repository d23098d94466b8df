"""Trainings that take a second, and copies of ones that were stopped."""

import os
import shutil
import signal
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from rltransfer.errors import Stopped
from rltransfer_agents.training import (
    ALGORITHMS,
    Progress,
    TrainConfig,
    TrainedRun,
    train_source,
)

Configure: TypeAlias = Callable[..., TrainConfig]
Prepared: TypeAlias = Callable[[str], Path]

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
        return small_config(algorithm, **{"log_folder": tmp_path, **changes})

    return small


def small_config(algorithm: str, **changes: Any) -> TrainConfig:
    """Returns a small training."""
    env_id, hyperparameters = _CASES[algorithm]
    hyperparameters = {**hyperparameters, **changes.pop("hyperparameters", {})}
    values: dict[str, Any] = {
        "env_id": env_id,
        "steps": 200,
        "seed": 7,
        "evaluations": 2,
        "evaluation_episodes": 1,
        "progress_seconds": 0.0,
        **changes,
    }
    return TrainConfig(algorithm=algorithm, hyperparameters=hyperparameters, **values)


def stopped_at(config: TrainConfig, steps: int) -> Path:
    """Returns the folder of a training that was stopped after some steps."""

    def stop(progress: Progress) -> None:
        if progress.steps >= steps:
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(Stopped, match="--resume"):
        train_source(config, stop)
    (folder,) = (config.log_folder / config.algorithm).iterdir()
    return folder


@pytest.fixture(scope="session")
def trained(
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[[str], TrainedRun]:
    """Returns a function from an algorithm to a run that no test may change."""
    folder = tmp_path_factory.mktemp("trained")
    return cache(
        lambda algorithm: train_source(small_config(algorithm, log_folder=folder))
    )


@pytest.fixture
def finished(trained: Callable[[str], TrainedRun], tmp_path: Path) -> Prepared:
    """Returns a function from an algorithm to a copy of its finished run."""

    def copy(algorithm: str) -> Path:
        folder = trained(algorithm).folder
        return Path(shutil.copytree(folder, tmp_path / algorithm / folder.name))

    return copy


@pytest.fixture(scope="session")
def _stopped(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    folder = tmp_path_factory.mktemp("stopped")

    def train(algorithm: str) -> Path:
        config = small_config(algorithm, log_folder=folder, snapshot_seconds=0.0)
        return stopped_at(config, 128)

    return cache(train)


@pytest.fixture
def stopped(_stopped: Prepared, tmp_path: Path) -> Prepared:
    """Returns a function from an algorithm to a copy of a run stopped at step 128.

    It was evaluated once, and has a snapshot of its last boundary between rollouts.
    """

    def copy(algorithm: str) -> Path:
        folder = _stopped(algorithm)
        return Path(shutil.copytree(folder, tmp_path / algorithm / folder.name))

    return copy
