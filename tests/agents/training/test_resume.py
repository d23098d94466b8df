"""Interrupted trainings go on; what does not fit is refused in one line."""

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium import spaces

from rltransfer.errors import ArtifactRefused, InputError, LockedError
from rltransfer.io import MANIFEST_NAME, read_json, read_manifest, write_json
from rltransfer.io.nested_values import pack_nested, unpack_nested
from rltransfer_agents.training import (
    Progress,
    TrainConfig,
    TrainedRun,
    resume_source,
    resume_sources,
    train_source,
)
from tests.agents.training.conftest import Prepared, stopped_at

Configure = Callable[..., TrainConfig]


def change_snapshot(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Changes the snapshot in the folder of a run, so that its hash fits again."""
    path = folder / ".resume" / "state"
    state = unpack_nested(path.read_bytes())
    change(state)
    path.write_bytes(pack_nested(state))


class Loose(gym.Env[Any, Any]):
    """An environment that follows no seed."""

    observation_space = spaces.Box(0, 1, (2,))
    action_space = spaces.Discrete(2)

    def reset(self, *, seed: Any = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        return self._observation(), {}

    def step(self, action: Any) -> Any:
        return self._observation(), 1.0, bool(os.urandom(1)[0] < 20), False, {}

    def _observation(self) -> Any:
        return np.frombuffer(os.urandom(2), np.uint8).astype(np.float32) / 255


gym.register("training-tests/Loose-v0", Loose)


def test_a_finished_run_is_returned_as_it_is(
    trained: Callable[[str], TrainedRun],
) -> None:
    run = trained("ppo")
    assert run.resumed == "no"
    assert resume_source(run.folder) == run


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"results": {}}, "mean_return: "),
        ({"results": {"mean_return": "x"}}, "mean_return: "),
        ({"steps": {}}, "steps: "),
        ({"verb": "transfer"}, "of a run of train-source, got one of 'transfer'"),
    ],
)
def test_a_manifest_of_something_else_is_refused(
    finished: Prepared, changes: dict[str, Any], reason: str
) -> None:
    folder = finished("ppo")
    path = folder / MANIFEST_NAME
    write_json(path, {**read_json(path), **changes})
    kept = folder / ".resume"
    kept.mkdir()
    with pytest.raises(ArtifactRefused, match=reason) as refusal:
        resume_source(folder)
    assert "\n" not in str(refusal.value)
    assert kept.exists()


@pytest.mark.parametrize("settings", ["ppo", "a2c", "dqn"])
def test_an_environment_that_cannot_be_put_back_is_said_to_be_approximate(
    configure: Configure, settings: str
) -> None:
    config = configure(settings, env_id="training-tests/Loose-v0", snapshot_seconds=0.0)
    run = resume_source(stopped_at(config, 40))
    assert run.resumed == "approximate"
    assert "came to another state by the same actions" in "".join(
        run.reproducibility_warnings
    )
    assert read_manifest(run.folder).results["resumed"] == "approximate"


def test_other_versions_are_said_to_be_approximate(stopped: Prepared) -> None:
    folder = stopped("ppo")
    change_snapshot(folder, lambda state: state["versions"].update(torch="99"))
    run = resume_source(folder)
    assert run.resumed == "approximate"
    (warning,) = run.reproducibility_warnings
    assert warning.startswith("torch was 99 and is ")


def test_runs_are_resumed_side_by_side(stopped: Prepared) -> None:
    folders = [stopped(algorithm) for algorithm in ("ppo", "dqn")]
    found: list[TrainedRun] = resume_sources(folders)
    assert [run.folder for run in found] == folders
    assert {run.resumed for run in found} == {"exact"}


def test_a_damaged_snapshot_gives_way_to_the_one_before(
    stopped: Prepared, trained: Callable[[str], TrainedRun]
) -> None:
    folder = stopped("dqn")
    state = folder / ".resume" / "state"
    data = bytearray(state.read_bytes())
    data[len(data) // 2] ^= 1
    state.write_bytes(data)
    assert resume_source(folder).resumed == "exact"
    assert (
        read_manifest(folder).results["state_sha256"]
        == read_manifest(trained("dqn").folder).results["state_sha256"]
    )


@pytest.mark.parametrize("cut", [0, 10, 90, 2000])
def test_snapshots_of_which_none_is_whole_are_refused(
    stopped: Prepared, cut: int
) -> None:
    folder = stopped("ppo")
    for path in (folder / ".resume").glob("state*"):
        path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(ArtifactRefused, match="no snapshot is whole"):
        resume_source(folder)


def test_damaged_rows_of_the_buffer_are_refused(stopped: Prepared) -> None:
    folder = stopped("dqn")
    for path in (folder / ".resume" / "rows").iterdir():
        data = bytearray(path.read_bytes())
        data[3] ^= 1
        path.write_bytes(data)
    with pytest.raises(ArtifactRefused, match=r"rows-0+\.bin is damaged"):
        resume_source(folder)


def test_settings_that_no_longer_fit_are_refused(stopped: Prepared) -> None:
    folder = stopped("ppo")
    path = folder / "CartPole-v1" / "config.yml"
    path.write_text(path.read_text() + "policy_kwargs: {net_arch: [3]}\n")
    with pytest.raises(ArtifactRefused, match="weights do not fit"):
        resume_source(folder)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (
            "env: !!python/object/apply:os.system [exit]",
            "is not of a run of train-source",
        ),
        ("- a list", "no mapping"),
        ("algo: ppo", "not of a run of train-source"),
        ("[" * 5000, "YAML may have"),
    ],
)
def test_arguments_that_are_not_plain_are_refused(
    finished: Prepared, text: str, reason: str
) -> None:
    folder = finished("ppo")
    (folder / "CartPole-v1" / "args.yml").write_text(text)
    with pytest.raises(ArtifactRefused, match=reason):
        resume_source(folder)


def test_an_id_that_imports_a_module_is_not_taken_from_a_file(
    finished: Prepared,
) -> None:
    folder = finished("ppo")
    path = folder / "CartPole-v1" / "args.yml"
    path.write_text(path.read_text().replace("CartPole-v1", "antigravity:CartPole-v1"))
    with pytest.raises(ArtifactRefused, match="an id in a file"):
        resume_source(folder)


def test_a_folder_without_a_run_is_refused_and_left_alone(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "nothing"):
        with pytest.raises(InputError, match="folder of one run"):
            resume_source(folder)
    assert list(tmp_path.iterdir()) == []


def test_a_run_that_is_at_work_is_left_alone(configure: Configure) -> None:
    config = configure("ppo")
    caught: list[BaseException] = []

    def intrude(progress: Progress) -> None:
        (folder,) = (config.log_folder / "ppo").iterdir()
        with pytest.raises(LockedError, match=f"process {os.getpid()}") as refusal:
            resume_source(folder)
        caught.append(refusal.value)

    train_source(config, intrude)
    assert caught


def test_a_training_in_a_thread_needs_no_signals(configure: Configure) -> None:
    found: list[TrainedRun] = []
    thread = threading.Thread(
        target=lambda: found.append(train_source(configure("ppo")))
    )
    thread.start()
    thread.join()
    assert len(found) == 1
