"""What a snapshot holds, and which one is loaded."""

import errno
import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium as gym
import pytest
from stable_baselines3 import DQN

from rltransfer.errors import ArtifactRefused, StorageError
from rltransfer.io.nested_values import pack_nested, unpack_nested
from rltransfer.wrappers import CheckedEnv, ReplayableEnv
from rltransfer_agents.training import resume_source
from rltransfer_agents.training.learner_state import ITEMS, digest
from rltransfer_agents.training.replay_rows import COLUMNS
from rltransfer_agents.training.snapshots import SnapshotFiles
from rltransfer_agents.training.vector_env import VectorEnv
from tests.agents.training.conftest import Prepared
from tests.agents.training.test_resume import change_snapshot

Change = Callable[[dict[str, Any]], object]


def test_pythons_generator_goes_on_from_where_it_was() -> None:
    # That it matters, the kills show, apart: checks of types draw from it, too.
    item = ITEMS["python"]
    learner = DQN("MlpPolicy", "CartPole-v1", buffer_size=8, seed=1)
    state = item.take(learner)
    drawn = [random.random() for _ in range(3)]
    item.put(learner, state)
    assert [random.random() for _ in range(3)] == drawn
    assert unpack_nested(pack_nested(state)) == state


@pytest.mark.parametrize(
    "item", ["weights", "counters", "normalisation", "environments", "torch", "python"]
)
def test_a_snapshot_that_lacks_an_item_is_refused(stopped: Prepared, item: str) -> None:
    folder = stopped("a2c")
    change_snapshot(folder, lambda state: state["learner"].pop(item))
    with pytest.raises(ArtifactRefused, match=rf"lacks a part .*\({item}\)"):
        resume_source(folder)


def test_a_snapshot_with_an_item_of_another_learner_is_refused(
    stopped: Prepared,
) -> None:
    folder = stopped("ppo")
    change_snapshot(folder, lambda state: state["learner"].update(temperature=1.0))
    with pytest.raises(ArtifactRefused, match=r"one too many \(temperature\)"):
        resume_source(folder)


@pytest.mark.parametrize("change", ["lack", "add"])
def test_an_item_with_other_attributes_is_refused(
    stopped: Prepared, change: str
) -> None:
    def counters(state: dict[str, Any]) -> None:
        if change == "lack":
            del state["learner"]["counters"]["_n_updates"]
        else:
            state["learner"]["counters"]["train"] = 1

    folder = stopped("ppo")
    change_snapshot(folder, counters)
    with pytest.raises(ArtifactRefused, match="counters do not fit"):
        resume_source(folder)


@pytest.mark.parametrize("column", COLUMNS)
def test_every_column_of_the_buffer_is_in_the_digest(column: str) -> None:
    envs = VectorEnv([ReplayableEnv(CheckedEnv(gym.make("CartPole-v1"), "CartPole"))])
    learner = DQN("MlpPolicy", envs, buffer_size=8, seed=1)
    envs.reset()
    before = digest(learner)
    assert digest(learner) == before
    getattr(learner.replay_buffer, column)[3] = 1
    assert digest(learner) != before


@pytest.mark.parametrize("call", ["open", "fsync", "replace"])
def test_a_fault_after_a_damaged_snapshot_leaves_the_whole_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    snapshots = SnapshotFiles(tmp_path, None, 0.0)
    for number in (1, 2):
        snapshots.write(lambda number=number: {"number": number}, 0)
    latest = tmp_path / "state"
    latest.write_bytes(latest.read_bytes()[:-1])

    def fail(*arguments: Any, **options: Any) -> Any:
        raise OSError(errno.EIO, "on purpose")

    snapshots = SnapshotFiles(tmp_path, None, 0.0)
    assert snapshots.read() == {"number": 1}
    with monkeypatch.context() as patch:
        patch.setattr(os, call, fail)
        with pytest.raises(StorageError):
            snapshots.write(lambda: {"number": 3}, 0)
    snapshots = SnapshotFiles(tmp_path, None, 0.0)
    assert snapshots.read() == {"number": 1}
    snapshots.write(lambda: {"number": 3}, 0)
    assert SnapshotFiles(tmp_path, None, 0.0).read() == {"number": 3}
    latest.unlink()
    assert SnapshotFiles(tmp_path, None, 0.0).read() == {"number": 1}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("pending_log", (1,)),
        ("pending_log", [1]),
        ("pending_log", ({"loss": "x"}, {}, {})),
        ("seconds", "x"),
        ("seconds", -1.0),
        ("seconds", float("nan")),
        ("steps", "x"),
        ("steps", -1),
        ("log_lengths", [1]),
        ("log_lengths", {"0.monitor.csv": -1}),
        ("versions", []),
        ("reproducibility_warnings", "x"),
        ("learner", []),
        ("evaluations", {"steps": [1], "returns": ["x"], "lengths": ["x"]}),
        ("evaluations", {"steps": [1], "returns": [], "lengths": []}),
        ("best", {"weights": 1, "statistics": None}),
        ("best", {"weights": {}, "statistics": {"norm_obs": "x"}}),
        ("more", 1),
    ],
)
def test_a_snapshot_of_other_types_is_refused_and_the_logs_stay(
    stopped: Prepared, key: str, value: Any
) -> None:
    folder = stopped("ppo")
    change_snapshot(folder, lambda state: state.update({key: value}))
    logs = {path: path.read_bytes() for path in folder.rglob("*.*") if path.is_file()}
    with pytest.raises(ArtifactRefused, match="the snapshot") as refusal:
        resume_source(folder)
    assert "\n" not in str(refusal.value)
    assert all(path.read_bytes() == data for path, data in logs.items())


def test_a_snapshot_without_a_part_is_refused(stopped: Prepared) -> None:
    folder = stopped("ppo")
    change_snapshot(folder, lambda state: state.pop("steps"))
    with pytest.raises(ArtifactRefused, match="steps"):
        resume_source(folder)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"count": 10**6}, "bytes, not 1000000 rows"),
        ({"count": -1}, "which rows belong to it"),
        ({"first": -1}, "which rows belong to it"),
        ({"count": "2"}, "which rows belong to it"),
        ({"more": 1}, "which rows belong to it"),
    ],
)
def test_a_mark_that_does_not_fit_its_file_is_refused(
    stopped: Prepared, change: dict[str, Any], reason: str
) -> None:
    folder = stopped("dqn")
    (folder / ".resume" / "state.previous").unlink()
    change_snapshot(folder, lambda state: state["marks"][0].update(change))
    with pytest.raises(ArtifactRefused, match=reason) as refusal:
        resume_source(folder)
    assert "\n" not in str(refusal.value)
