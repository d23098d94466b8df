"""What a snapshot holds, and which one is believed."""

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from stable_baselines3 import DQN

from rltransfer.errors import ArtifactRefused, StorageError
from rltransfer.io import points
from rltransfer.io.tensor_files import pack, unpack
from rltransfer_agents.training import TrainConfig, resume_source
from rltransfer_agents.training import training_loop as course
from rltransfer_agents.training.learner_state import ITEMS, digest
from rltransfer_agents.training.replay_rows import COLUMNS
from rltransfer_agents.training.snapshot_keeper import SnapshotKeeper
from tests.agents.training.test_resume import stopped_at

Configure = Callable[..., TrainConfig]
Change = Callable[[dict[str, Any]], object]


@pytest.fixture(autouse=True)
def _every_boundary_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(course, "_PROGRESS_SECONDS", 0.0)


def reseal(folder: Path, change: Change) -> None:
    """Changes the snapshot in the folder of a run so that its hash fits again."""
    path = folder / ".resume" / "state"
    state = unpack(path.read_bytes())
    change(state)
    path.write_bytes(pack(state))


def test_pythons_generator_goes_on_from_where_it_was() -> None:
    # That it matters, the kills show, apart: checks of types draw from it, too.
    item = ITEMS["python"]
    learner = DQN("MlpPolicy", "CartPole-v1", buffer_size=8, seed=1)
    state = item.take(learner)
    drawn = [random.random() for _ in range(3)]
    item.put(learner, state)
    assert [random.random() for _ in range(3)] == drawn
    assert unpack(pack(state)) == state


@pytest.mark.parametrize(
    "item", ["weights", "counters", "normalisation", "environments", "torch", "python"]
)
def test_a_snapshot_that_lacks_an_item_is_refused(
    configure: Configure, item: str
) -> None:
    folder = stopped_at(configure("a2c", snapshot_seconds=0.0), 64)
    reseal(folder, lambda state: state["learner"].pop(item))
    with pytest.raises(ArtifactRefused, match=rf"lacks a part .*\({item}\)"):
        resume_source(folder)


def test_a_snapshot_with_an_item_of_another_learner_is_refused(
    configure: Configure,
) -> None:
    folder = stopped_at(configure("ppo", snapshot_seconds=0.0), 64)
    reseal(folder, lambda state: state["learner"].update(temperature=1.0))
    with pytest.raises(ArtifactRefused, match=r"one too many \(temperature\)"):
        resume_source(folder)


@pytest.mark.parametrize("change", ["lack", "add"])
def test_an_item_with_other_attributes_is_refused(
    configure: Configure, change: str
) -> None:
    def counters(state: dict[str, Any]) -> None:
        if change == "lack":
            del state["learner"]["counters"]["_n_updates"]
        else:
            state["learner"]["counters"]["train"] = 1

    folder = stopped_at(configure("ppo", snapshot_seconds=0.0), 64)
    reseal(folder, counters)
    with pytest.raises(ArtifactRefused, match="counters do not fit"):
        resume_source(folder)


@pytest.mark.parametrize("column", COLUMNS)
def test_every_column_of_the_buffer_is_in_the_digest(
    monkeypatch: pytest.MonkeyPatch, column: str
) -> None:
    learner = DQN("MlpPolicy", "CartPole-v1", buffer_size=8, seed=1)
    # Stable-Baselines3's own environments can tell no moment, and have no part here.
    monkeypatch.delitem(ITEMS, "environments")
    before = digest(learner)
    getattr(learner.replay_buffer, column)[3] = 1
    assert digest(learner) != before


@pytest.mark.parametrize("point", ["before_write", "half_written", "before_rename"])
def test_a_fault_after_a_damaged_snapshot_leaves_the_whole_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, point: str
) -> None:
    keeper = SnapshotKeeper(tmp_path, None, 0.0)
    for number in (1, 2):
        keeper.write(lambda number=number: {"number": number}, 0)
    latest = tmp_path / "state"
    latest.write_bytes(latest.read_bytes()[:-1])

    def strike(reached: str) -> None:
        if reached == point:
            raise OSError(5, "on purpose")

    keeper = SnapshotKeeper(tmp_path, None, 0.0)
    assert keeper.read() == {"number": 1}
    with monkeypatch.context() as patch:
        patch.setattr(points, "reached", strike)
        with pytest.raises(StorageError):
            keeper.write(lambda: {"number": 3}, 0)
    keeper = SnapshotKeeper(tmp_path, None, 0.0)
    assert keeper.read() == {"number": 1}
    keeper.write(lambda: {"number": 3}, 0)
    assert SnapshotKeeper(tmp_path, None, 0.0).read() == {"number": 3}
    latest.unlink()
    assert SnapshotKeeper(tmp_path, None, 0.0).read() == {"number": 1}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("pending", (1,)),
        ("pending", [1]),
        ("pending", ({"loss": "x"}, {}, {})),
        ("seconds", "x"),
        ("seconds", -1.0),
        ("seconds", float("nan")),
        ("steps", "x"),
        ("steps", -1),
        ("log_lengths", [1]),
        ("log_lengths", {"0.monitor.csv": -1}),
        ("surroundings", []),
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
    configure: Configure, key: str, value: Any
) -> None:
    folder = stopped_at(configure("ppo", snapshot_seconds=0.0), 128)
    reseal(folder, lambda state: state.update({key: value}))
    logs = {path: path.read_bytes() for path in folder.rglob("*.*") if path.is_file()}
    with pytest.raises(ArtifactRefused, match="the snapshot") as refusal:
        resume_source(folder)
    assert "\n" not in str(refusal.value)
    assert all(path.read_bytes() == data for path, data in logs.items())


def test_a_snapshot_without_a_part_is_refused(configure: Configure) -> None:
    folder = stopped_at(configure("ppo", snapshot_seconds=0.0), 64)
    reseal(folder, lambda state: state.pop("steps"))
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
    configure: Configure, change: dict[str, Any], reason: str
) -> None:
    folder = stopped_at(configure("dqn", snapshot_seconds=0.0), 64)
    (folder / ".resume" / "state.previous").unlink()
    reseal(folder, lambda state: state["marks"][0].update(change))
    with pytest.raises(ArtifactRefused, match=reason) as refusal:
        resume_source(folder)
    assert "\n" not in str(refusal.value)
