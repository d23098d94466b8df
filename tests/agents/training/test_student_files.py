"""The folder of a student is one of RL Zoo's, and says what it is of."""

from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium import spaces
from stable_baselines3 import DQN, TD3

from rltransfer.errors import InputError
from rltransfer.io import changed_files, read_manifest
from rltransfer_agents.loading import load_agent
from rltransfer_agents.training.run_files import read_settings
from rltransfer_agents.training.student_files import student_files, write_student

SEEN = spaces.Box(-np.inf, np.inf, (3,), np.float32)
FROM_TWO = spaces.Discrete(3, start=2)
FORCE = spaces.Box(-2.0, 2.0, (1,), np.float32)
OPTIONS: dict[str, Any] = {"buffer_size": 1, "policy_kwargs": {"net_arch": [8]}}


def written(folder: Path, kind: Any, actions: gym.Space[Any]) -> tuple[Any, Path]:
    models = []

    def make(env: gym.Env[Any, Any]) -> Any:
        models.append(kind("MlpPolicy", env, seed=0, **OPTIONS))
        return models[-1]

    files = student_files(
        folder, kind.__name__.lower(), "Pendulum-v1", {"g": 9.0}, steps=700, seed=3
    )
    write_student(files, make, (SEEN, actions))
    return models[0], files.folder


@pytest.mark.parametrize(("kind", "actions"), [(DQN, FROM_TWO), (TD3, FORCE)])
def test_it_opens_everywhere_and_acts_as_the_model_did(
    tmp_path: Path, kind: Any, actions: gym.Space[Any]
) -> None:
    model, folder = written(tmp_path, kind, actions)
    assert folder == tmp_path / kind.__name__.lower() / "Pendulum-v1_1"
    loaded = load_agent(folder)
    plain = kind.load(folder / "Pendulum-v1.zip")
    assert loaded.env_id == "Pendulum-v1" and loaded.env_kwargs == {"g": 9.0}
    assert loaded.action_space == plain.action_space == actions
    rows = np.random.default_rng(0).normal(size=(50, 3)).astype(np.float32)
    expected, _ = model.predict(rows, deterministic=True)
    for policy in (loaded.policy, plain):
        chosen, _ = policy.predict(rows, deterministic=True)
        np.testing.assert_allclose(chosen, expected, rtol=1e-5, atol=1e-6)


def test_its_settings_are_those_of_the_run(tmp_path: Path) -> None:
    _, folder = written(tmp_path, TD3, FORCE)
    files, hyperparameters = read_settings(folder)
    assert (files.config.steps, files.config.seed) == (700, 3)
    assert hyperparameters["policy_kwargs"]["net_arch"] == [8]
    assert hyperparameters["learning_rate"] == 1e-3
    manifest = read_manifest(folder)
    assert manifest.verb == "student" and manifest.steps == {"training": 700}
    assert changed_files(folder, manifest) == []


def test_one_that_diverged_is_not_written(tmp_path: Path) -> None:
    def broken(env: gym.Env[Any, Any]) -> Any:
        model = TD3("MlpPolicy", env, **OPTIONS)
        with torch.no_grad():
            next(model.actor.parameters()).fill_(float("nan"))
        return model

    files = student_files(tmp_path, "td3", "Pendulum-v1", {}, steps=700, seed=3)
    with pytest.raises(InputError, match="is not finite"):
        write_student(files, broken, (SEEN, FORCE))
    assert not list(tmp_path.rglob("*.zip"))
