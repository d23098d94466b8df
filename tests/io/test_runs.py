"""Run folders have one name, one owner and a manifest that notices every change."""

import json
import multiprocessing
import os
from collections.abc import Callable
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

import pytest

from rltransfer.errors import ArtifactRefused, LockedError, StorageError
from rltransfer.io import (
    MANIFEST_NAME,
    Manifest,
    changed_files,
    installed_versions,
    locked,
    next_run_folder,
    read_manifest,
    read_manifest_of,
    require_writable,
    write_manifest,
)

MANIFEST = Manifest(
    verb="train-source",
    versions=installed_versions(),
    seeds={"training": 3},
    steps={"training": 300},
    spaces={"action": {"kind": "Discrete", "n": 2, "start": 0}},
    results={"mean_return": 500.0},
)


def test_folders_are_numbered_as_in_rl_zoo(tmp_path: Path) -> None:
    names = [next_run_folder(tmp_path, "ppo", "CartPole-v1") for _ in range(2)]
    assert names == [tmp_path / "ppo/CartPole-v1_1", tmp_path / "ppo/CartPole-v1_2"]
    assert all(name.is_dir() for name in names)


def test_the_number_after_the_highest_is_next(tmp_path: Path) -> None:
    (tmp_path / "ppo/CartPole-v1_10").mkdir(parents=True)
    (tmp_path / "ppo/CartPole-v1_9").mkdir()
    (tmp_path / "ppo/CartPole-v1_x").mkdir()
    (tmp_path / "ppo/CartPole-v10_99").mkdir()
    assert next_run_folder(tmp_path, "ppo", "CartPole-v1").name.endswith("_11")


def test_a_slash_in_an_id_becomes_a_dash(tmp_path: Path) -> None:
    folder = next_run_folder(tmp_path, "ppo", "rltransfer/Scrambled-v0")
    assert folder == tmp_path / "ppo" / "rltransfer-Scrambled-v0_1"


def test_a_folder_that_can_be_made_is_not_made_before_there_is_work(
    tmp_path: Path,
) -> None:
    assert require_writable(tmp_path / "new" / "runs") == tmp_path / "new" / "runs"
    assert not (tmp_path / "new").exists()
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(StorageError, match=r"--log-folder must be a folder, .*file is"):
        require_writable(file / "runs")
    with pytest.raises(StorageError, match=r"-f: .*|too long"):
        require_writable(tmp_path / ("long" * 100), "-f")


def test_a_manifest_of_another_command_is_refused(tmp_path: Path) -> None:
    write_manifest(tmp_path, MANIFEST)
    assert read_manifest_of(tmp_path, "train-source").seeds == {"training": 3}
    with pytest.raises(ArtifactRefused, match="of a run of transfer, got one of 'tr"):
        read_manifest_of(tmp_path, "transfer")


def test_a_log_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "runs").touch()
    with pytest.raises(StorageError, match="ppo"):
        next_run_folder(tmp_path / "runs", "ppo", "CartPole-v1")


def test_a_manifest_comes_back_equal_with_the_hash_of_every_file(
    tmp_path: Path,
) -> None:
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "agent.zip").write_bytes(b"weights")
    (tmp_path / ".lock").touch()
    written = write_manifest(tmp_path, MANIFEST)
    assert list(written.files) == ["inner/agent.zip"]
    assert read_manifest(tmp_path) == written
    assert changed_files(tmp_path, written) == []


def test_a_changed_and_a_missing_file_are_named(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        (tmp_path / name).write_text(name)
    manifest = write_manifest(tmp_path, MANIFEST)
    (tmp_path / "a").write_text("other")
    (tmp_path / "b").unlink()
    assert changed_files(tmp_path, manifest) == ["a", "b"]


def test_a_missing_manifest_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArtifactRefused, match=r"no manifest\.json"):
        read_manifest(tmp_path)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda value: value | {"format": 99},
        lambda value: value | {"surprise": 1},
        lambda value: value | {"seeds": {"training": "three"}},
        lambda value: {key: value[key] for key in value if key != "versions"},
        lambda value: [value],
    ],
)
def test_a_foreign_manifest_is_refused(
    tmp_path: Path, spoil: Callable[[dict[str, Any]], object]
) -> None:
    write_manifest(tmp_path, MANIFEST)
    path = tmp_path / MANIFEST_NAME
    path.write_text(json.dumps(spoil(json.loads(path.read_text()))))
    with pytest.raises(ArtifactRefused, match=r"manifest\.json"):
        read_manifest(tmp_path)


def _try_to_own(
    folder: Path, start: Barrier, done: Barrier, owners: "Queue[str]"
) -> None:
    start.wait()
    try:
        with locked(folder):
            owners.put("owner")
            done.wait()
    except LockedError:
        owners.put("refused")
        done.wait()


@pytest.mark.torture
@pytest.mark.parametrize("starters", [2, 8])
def test_of_many_starters_in_one_folder_one_becomes_the_owner(
    tmp_path: Path, count: Any, starters: int
) -> None:
    context = multiprocessing.get_context("fork")
    for _ in range(20):
        start, done = context.Barrier(starters), context.Barrier(starters)
        owners = context.Queue()
        processes = [
            context.Process(target=_try_to_own, args=(tmp_path, start, done, owners))
            for _ in range(starters)
        ]
        for process in processes:
            process.start()
        outcomes = [owners.get(timeout=30) for _ in processes]
        for process in processes:
            process.join()
        assert sorted(outcomes) == ["owner"] + ["refused"] * (starters - 1)
        count("R8", folder_contests=1)


def test_the_second_owner_is_told_who_the_first_is(tmp_path: Path) -> None:
    with locked(tmp_path):
        with pytest.raises(LockedError, match=f"process {os.getpid()}"):
            with locked(tmp_path):
                pass
    with locked(tmp_path):
        pass


def test_the_lock_of_a_folder_that_is_gone_is_a_storage_fault(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="gone"), locked(tmp_path / "gone"):
        pass


def test_the_owner_clears_away_what_a_killed_writer_left(tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / ".agent.zip.123.tmp").touch()
    with locked(tmp_path):
        assert list((tmp_path / "inner").iterdir()) == []
