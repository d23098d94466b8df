"""A faulty environment ends a training with its name; what was learnt stays finite."""

import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.conftest import Count

pytestmark = pytest.mark.torture

FIELDS = {
    "raise": "raised ZeroDivisionError: on purpose",
    "hang": "has not come back for 0.4 s",
    "NaN observation": "observation is not finite",
    "infinite observation": "observation is not finite",
    "shape": "observation has shape (3,), not (2,)",
    "type": "observation has type <U5, not float32",
    "NaN reward": "reward is not finite",
}
APART = {"die": "died: killed by SIGKILL", "hang": "has not come back for 1 s"}
STEPS = {"first": 1, "middle": 57, "terminal": 60}
_OFF_POLICY = {
    "buffer_size": 90,
    "learning_starts": 20,
    "batch_size": 8,
    "policy_kwargs": {"net_arch": [8]},
}
HYPERPARAMETERS: dict[str, dict[str, Any]] = {
    "ppo": {"n_envs": 1, "n_steps": 16, "batch_size": 16, "normalize": True},
    "dqn": {**_OFF_POLICY, "train_freq": 8},
    "sac": {**_OFF_POLICY, "train_freq": 8},
}


def config(algorithm: str, fault: str, at: int, vec_env: str) -> dict[str, Any]:
    return {
        "env_id": "survival/Faulty-v0",
        "env_kwargs": {"fault": fault, "at": at, "discrete": algorithm != "sac"},
        "algorithm": algorithm,
        "steps": 96,
        "evaluations": 0,
        "vec_env": vec_env,
        "step_seconds": 0.4 if vec_env == "dummy" else 1.0,
        "hyperparameters": HYPERPARAMETERS[algorithm],
    }


@pytest.mark.parametrize("at", STEPS)
@pytest.mark.parametrize("fault", FIELDS)
@pytest.mark.parametrize("algorithm", HYPERPARAMETERS)
def test_a_fault_names_environment_step_and_field(
    fork_server: Any, tmp_path: Path, count: Count, algorithm: str, fault: str, at: str
) -> None:
    count("E1", training_faults=1)
    faulty = config(algorithm, fault, STEPS[at], "dummy")
    ended = fork_server.train_configs([faulty], tmp_path)
    assert ended.status == 77, ended.text
    (line,) = [line for line in ended.text.splitlines() if "Warning" not in line][-1:]
    where = f"survival/Faulty-v0 (training 0), step {STEPS[at]}: "
    assert line.startswith(f"EnvironmentFault: {where}")
    assert FIELDS[fault] in line
    folder = fork_server.run_folder(tmp_path)
    assert not list(folder.glob("*.zip")), "nothing was evaluated yet"
    if at == "middle":
        ended = fork_server.resume(folder, mended=True)
        assert ended.status == 0, ended.text
        for path in folder.glob("*.zip"):
            require_finite(path)


@pytest.mark.parametrize(
    ("algorithm", "fault", "at"),
    [
        ("ppo", "die", "first"),
        ("dqn", "die", "middle"),
        ("sac", "die", "terminal"),
        ("ppo", "hang", "terminal"),
        ("dqn", "hang", "first"),
        ("sac", "hang", "middle"),
    ],
)
def test_an_environment_apart_can_hang_or_die(
    fork_server: Any,
    tmp_path: Path,
    count: Count,
    algorithm: str,
    fault: str,
    at: str,
) -> None:
    count("E1", training_faults=1)
    reason = APART[fault]
    faulty = config(algorithm, fault, STEPS[at], "subproc")
    ended = fork_server.train_configs([faulty], tmp_path)
    assert ended.status == 77, ended.text
    where = f"survival/Faulty-v0 (training 0), step {STEPS[at]}: step {reason}"
    assert where in ended.text
    folder = fork_server.run_folder(tmp_path)
    assert f"--resume {folder}" in ended.text
    for path in folder.glob("*.zip"):
        require_finite(path)


@pytest.mark.parametrize("algorithm", ["ppo", "dqn"])
def test_a_training_that_diverges_stops_before_anything_is_saved(
    fork_server: Any, tmp_path: Path, count: Count, algorithm: str
) -> None:
    count("E1", divergences=1)
    wild = {
        "env_id": "CartPole-v1",
        "algorithm": algorithm,
        "steps": 400,
        "hyperparameters": {
            **HYPERPARAMETERS[algorithm],
            "learning_rate": 1e20,
            "max_grad_norm": 1e30,
        },
    }
    ended = fork_server.train_configs([wild], tmp_path)
    assert ended.status == 2, ended.text
    assert "lower the learning_rate" in ended.text
    for path in tmp_path.rglob("*.zip"):
        require_finite(path)


def require_finite(path: Path) -> None:
    with zipfile.ZipFile(path) as archive, archive.open("policy.pth") as file:
        weights = torch.load(file, weights_only=True)
    assert all(tensor.isfinite().all() for tensor in weights.values())
