"""Being asked to stop ends a training where it can go on from."""

import json
from pathlib import Path
from typing import Any

import pytest


@pytest.mark.parametrize("group", [False, True], ids=["process", "group"])
@pytest.mark.parametrize("times", [1, 2], ids=["once", "twice"])
@pytest.mark.parametrize("signal", ["SIGINT", "SIGTERM"])
@pytest.mark.parametrize("config", ["ppo", "dqn"])
def test_a_training_that_is_asked_to_stop_can_be_resumed(
    zygote: Any,
    uninterrupted: Any,
    tmp_path: Path,
    config: str,
    signal: str,
    times: int,
    group: bool,
) -> None:
    stopped = zygote.train(
        config, tmp_path, step=70, signals=[signal] * times, group=group
    )
    assert stopped.status == 75
    assert stopped.text.count("\n") == 1, stopped.text
    assert f"--resume {zygote.run_folder(tmp_path)}" in stopped.text
    ended = zygote.resume(zygote.run_folder(tmp_path))
    assert ended.status == 0, ended.text
    assert json.loads(ended.text)[0]["resumed"] == "exact"
    assert zygote.traces(tmp_path) == uninterrupted[config]


@pytest.mark.parametrize("group", [False, True], ids=["process", "group"])
@pytest.mark.parametrize("signal", ["SIGINT", "SIGTERM"])
def test_trainings_side_by_side_stop_together(
    zygote: Any, uninterrupted: Any, tmp_path: Path, signal: str, group: bool
) -> None:
    names = ["ppo with gSDE and normalisation", "a2c"]
    stopped = zygote.train_several(
        names,
        tmp_path,
        begun=["Pendulum-v1", "LunarLander-v3"],
        signals=[signal],
        group=group,
    )
    if stopped.status == 0:
        pytest.skip("the trainings were over before the signal came")
    assert stopped.status == 75, stopped.text
    for name in names:
        (folder,) = tmp_path.glob(f"{name.split()[0]}/*_1")
        assert zygote.resume(folder).status == 0
        assert zygote.traces(folder.parent.parent, name) == uninterrupted[name]


def test_environments_in_processes_of_their_own_stop_too(
    zygote: Any, tmp_path: Path
) -> None:
    config = {
        "env_id": "CartPole-v1",
        "algorithm": "ppo",
        "steps": 96,
        "vec_env": "subproc",
        "hyperparameters": {"n_envs": 2, "n_steps": 16, "batch_size": 16},
    }
    whole = zygote.train_configs([config], tmp_path / "whole")
    assert whole.status == 0, whole.text
    stopped = zygote.train_configs(
        [config], tmp_path / "cut", step=20, signals=["SIGINT"], group=True
    )
    assert stopped.status == 75, stopped.text
    ended = zygote.resume(zygote.run_folder(tmp_path / "cut"))
    assert ended.status == 0, ended.text
    assert zygote.traces(tmp_path / "cut") == zygote.traces(tmp_path / "whole")
