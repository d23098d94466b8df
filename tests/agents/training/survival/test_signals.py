"""Being asked to stop ends a training where it can go on from."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Count
from tests.effort import paired

pytestmark = pytest.mark.torture

APART = {
    "env_id": "CartPole-v1",
    "algorithm": "ppo",
    "steps": 96,
    "vec_env": "subproc",
    "hyperparameters": {"n_envs": 2, "n_steps": 16, "batch_size": 16},
}
SENT = [
    (signal, times, group)
    for signal in ("SIGINT", "SIGTERM")
    for times in (1, 2)
    for group in (False, True)
]
"""Each once and twice, to the process and to its group."""


@pytest.mark.parametrize(("sent", "config"), paired(SENT, ("ppo", "dqn")))
def test_a_training_that_is_asked_to_stop_can_be_resumed(
    fork_server: Any,
    uninterrupted: Any,
    tmp_path: Path,
    count: Count,
    sent: tuple[str, int, bool],
    config: str,
) -> None:
    count("R7", training_stops=1)
    signal, times, group = sent
    stopped = fork_server.train(
        config, tmp_path, step=70, signals=[signal] * times, group=group
    )
    assert stopped.status == 75
    assert stopped.text.count("\n") == 1, stopped.text
    assert f"--resume {fork_server.run_folder(tmp_path)}" in stopped.text
    ended = fork_server.resume(fork_server.run_folder(tmp_path))
    assert ended.status == 0, ended.text
    assert json.loads(ended.text)[0]["resumed"] == "exact"
    assert fork_server.traces(tmp_path) == uninterrupted[config]


@pytest.mark.parametrize(
    ("signal", "group"), paired(("SIGINT", "SIGTERM"), (False, True))
)
def test_trainings_side_by_side_stop_together(
    fork_server: Any,
    uninterrupted: Any,
    tmp_path: Path,
    count: Count,
    signal: str,
    group: bool,
) -> None:
    count("R7", training_stops=1)
    names = ["ppo with gSDE and normalisation", "a2c"]
    stopped = fork_server.train_several(
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
        assert fork_server.resume(folder).status == 0
        assert fork_server.traces(folder.parent.parent, name) == uninterrupted[name]


@pytest.fixture(scope="module")
def apart(fork_server: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What is left by a training whose environments are apart, uninterrupted."""
    folder = tmp_path_factory.mktemp("apart")
    whole = fork_server.train_configs([APART], folder)
    assert whole.status == 0, whole.text
    traces: dict[str, str] = fork_server.traces(folder)
    return traces


@pytest.mark.parametrize(("signal", "times", "group"), SENT)
def test_environments_in_processes_of_their_own_stop_too(
    fork_server: Any,
    apart: dict[str, str],
    tmp_path: Path,
    count: Count,
    signal: str,
    times: int,
    group: bool,
) -> None:
    count("R7", training_stops=1)
    stopped = fork_server.train_configs(
        [APART], tmp_path, step=20, signals=[signal] * times, group=group
    )
    assert stopped.status == 75, stopped.text
    ended = fork_server.resume(fork_server.run_folder(tmp_path))
    assert ended.status == 0, ended.text
    assert fork_server.traces(tmp_path) == apart
