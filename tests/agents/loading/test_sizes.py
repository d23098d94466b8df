"""A folder of a run, or a slip of the pen, may not ask for more than a machine has."""

from pathlib import Path
from typing import Any

import pytest

from rltransfer.errors import InputError
from rltransfer_agents.loading import Refusal
from rltransfer_agents.training import TrainConfig, resume_source, train_source
from rltransfer_agents.training.train_config import require_moderate


def config(folder: Path, **changes: Any) -> TrainConfig:
    small = {"n_steps": 16, "n_envs": 1}
    values: dict[str, Any] = {"evaluations": 1, "evaluation_episodes": 1, **changes}
    return TrainConfig(
        "CartPole-v1", "a2c", folder, steps=64, hyperparameters=small, **values
    )


@pytest.mark.parametrize(
    ("changes", "hyperparameters", "told"),
    [
        ({}, {"n_steps": 10**7, "n_envs": 1024}, "steps kept at once.*lower n_steps"),
        ({"evaluation_episodes": 10**9}, {}, "environments, got 1,000,000,000"),
        ({"vec_env": "subproc"}, {"n_envs": 1024}, "at most 256 environments"),
        ({}, {"policy_kwargs": {"net_arch": [10**4] * 16}}, "weights.*net_arch"),
        ({}, {"policy_kwargs": {"net_arch": {"pi": [10**4] * 3}}}, "weights"),
    ],
)
def test_what_no_machine_has_is_refused(
    changes: dict[str, Any], hyperparameters: dict[str, Any], told: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=told):
        require_moderate(config(tmp_path, **changes), hyperparameters)


def test_usual_trainings_pass(tmp_path: Path) -> None:
    require_moderate(config(tmp_path), {"buffer_size": 10**6, "n_envs": 16})
    large = {"n_steps": 2048, "n_envs": 256, "policy_kwargs": {"net_arch": [1024] * 4}}
    require_moderate(config(tmp_path, vec_env="subproc"), large)


def test_logs_go_on_elsewhere_only_where_the_run_began_them(tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    run = train_source(config(tmp_path / "runs", tensorboard_folder=logs)).folder
    assert resume_source(run).folder == run
    moved = run.rename(run.with_name("CartPole-v1_7"))
    with pytest.raises(Refusal, match="bears no mark") as refused:
        resume_source(moved)
    assert refused.value.code == "folder"
