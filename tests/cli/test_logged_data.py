"""Transfers from logs, as a user asks for them."""

import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.envs.classic_control import CartPoleEnv

import rltransfer
from rltransfer.io import read_json, read_manifest, sha256_of
from rltransfer_envs.making import make
from tests.worlds.fault_injection import Fault, send
from tests.worlds.forked_runs import called_apart
from tests.worlds.logs import columns_of, data_files, record

from .conftest import QUICK, REPORTED, Command

KWARGS: dict[str, Any] = {"base": "CartPole-v1", "seed": 100}
TARGET = ("--target", "rltransfer/Scrambled-v0")
TARGET += ("--target-kwargs", "base=CartPole-v1", "seed=100")


def target() -> gym.Env[Any, Any]:
    return make("rltransfer/Scrambled-v0", **KWARGS)


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Steps of the target, as NumPy saves them."""
    path = tmp_path_factory.mktemp("logs") / "random.npz"
    np.savez(path, **columns_of(target(), 400))  # type: ignore[arg-type]
    return path


@pytest.fixture
def minari_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "minari"
    folder.mkdir()
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(folder))
    return folder


class Untouchable(CartPoleEnv):
    """A robot that nobody may move."""

    def reset(self, **_: Any) -> Any:
        raise AssertionError("it was reset")

    def step(self, action: Any) -> Any:
        raise AssertionError("it was moved")


@pytest.fixture
def untouchable() -> Iterator[str]:
    """The id of one."""
    gym.register("Untouchable-v0", Untouchable)
    yield "Untouchable-v0"
    gym.registry.pop("Untouchable-v0")


def test_a_log_is_enough_and_what_comes_of_it_is_unproved(
    command: Command, agent: Path, log: Path, tmp_path: Path, untouchable: str
) -> None:
    words = ("--source", agent, "--target", untouchable, "--target-data", log)
    words += ("-n", 0, "-f", tmp_path)
    call = command("transfer", *words, *REPORTED, "--json")
    assert call.exit_status == 0, call.errors
    found = call.json
    assert found["accepted"] is None and found["target_steps"] == 0
    assert found["random"] is None and found["zero_shot"] is None
    assert found["reported_steps"] == 0 and found["steps"] == {}
    assert found["verdict"].startswith("unproved: ")
    assert found["source_at_home"]["episodes"] == 20
    run = Path(found["run"])
    manifest = read_manifest(run)
    assert manifest.results["accepted"] is None
    of_log = {"origin": str(log), "sha256": sha256_of(log), "steps": 400}
    assert manifest.settings["target_data"].items() >= of_log.items()
    assert found["target_data"] == manifest.settings["target_data"]
    page = (run / "report.html").read_text()
    assert 'class="verdict unproved"' in page and "<strong>Unproved</strong>" in page
    assert "No step was taken in the target, not even to report" in page
    assert "unproved: never tried in the target" in page
    assert f"--target-data {log} -n 0" in page and sha256_of(log) in page
    assert (run / "transfer.png").stat().st_size > 10_000
    told = command("inspect", run, "--json").json
    assert told["accepted"] is None and told["target_data"]["sha256"] == sha256_of(log)
    shown = command("inspect", run).output
    assert "unproved" in shown and "logged steps" in shown
    again = command("transfer", "--resume", run, "--json")
    assert again.json == read_json(run / "transfer.json")


def test_what_logs_gave_can_be_measured_and_used_afterwards(
    command: Command, agent: Path, log: Path, tmp_path: Path
) -> None:
    found = rltransfer.transfer(
        agent,
        "rltransfer/Scrambled-v0",
        target_kwargs=KWARGS,
        target_data=log,
        steps=0,
        weak_source=True,
        hyperparams={"restarts": 2, "updates": 10, "source_steps": 600},
        log_folder=tmp_path,
        report=False,
    )
    assert found.accepted is None and found.target_steps == 0
    text = " ".join(str(found).split())
    assert "target steps none" in text and "logged steps 400" in text
    assert "not counted" not in text
    call = command("evaluate", found.folder, "--episodes", 2, "--json")
    assert call.exit_status == 0, call.errors
    observation = target().reset(seed=0)[0]
    assert int(found.policy.predict(observation, deterministic=True)[0]) in (0, 1)


def test_a_dataset_of_minari_is_known_by_its_name(
    command: Command, agent: Path, minari_root: Path, tmp_path: Path
) -> None:
    record(target(), "cart/random-v0", 12)
    words = ("--source", agent, *TARGET, "-n", 0, *QUICK, "-f", tmp_path, "--json")
    named = "minari:cart/random-v0"
    call = command("transfer", *words, "--target-data", named)
    assert call.exit_status == 0, call.errors
    told = call.json["target_data"]
    (file,) = data_files(minari_root, "cart/random-v0")
    assert (told["origin"], told["sha256"]) == (named, sha256_of(file))
    assert told["episodes"] == 12
    # One bit of its bookkeeping, and it is another file.
    data = bytearray(file.read_bytes())
    data[0] ^= 1
    file.write_bytes(data)
    refused = command("transfer", *words, "--target-data", named)
    assert refused.exit_status == 76 and named in refused.error


def test_logs_join_the_steps_that_are_taken(
    command: Command, agent: Path, log: Path, tmp_path: Path
) -> None:
    words = ("--source", agent, *TARGET, "-n", 600, *QUICK, "-f", tmp_path, "--json")
    home = tmp_path / "home.npz"
    np.savez(home, **columns_of(gym.make("CartPole-v1"), 150))  # type: ignore[arg-type]
    logs = ("--target-data", log, "--source-data", home)
    call = command("transfer", *words, *logs)
    assert call.exit_status == 0, call.errors
    assert call.json["accepted"] is not None and call.json["target_steps"] <= 600
    assert call.json["zero_shot"]["episodes"] == 20
    assert call.json["target_data"]["used_steps"] == 400
    assert call.json["source_data"]["sha256"] == sha256_of(home)
    alone = command("transfer", *words)
    assert alone.json["target_data"] is None and alone.json["source_data"] is None
    error = alone.json["sources"][0]["alignment_error"]
    assert call.json["sources"][0]["alignment_error"] != error


def test_an_interrupted_run_goes_on_with_the_same_log_only(
    agent: Path, log: Path, tmp_path: Path, command: Command
) -> None:
    own = tmp_path / "own.npz"
    own.write_bytes(log.read_bytes())
    words = ("transfer", "--source", agent, *TARGET, "--target-data", own, "-n", 0)
    words += ("--no-cache", "--no-report", "--json", "-f")
    whole, output = tmp_path / "whole", tmp_path / "output"
    assert called_apart([*words, whole], output, None) == 0, output.read_text()
    folder = tmp_path / "interrupted"
    kill = Fault("update", 3, send(signal.SIGKILL))
    assert called_apart([*words, folder], output, kill) == -signal.SIGKILL
    (run,) = (folder / "transfer").iterdir()
    own.write_bytes(log.read_bytes() + b"\0")
    assert called_apart(["transfer", "--resume", run], output, None) in (2, 76)
    np.savez(own, **columns_of(target(), 390))  # type: ignore[arg-type]
    refused = command("transfer", "--resume", run)
    assert refused.exit_status == 76 and "target_data.sha256" in refused.error
    own.write_bytes(log.read_bytes())
    assert called_apart(["transfer", "--resume", run], output, None) == 0
    digests = [
        read_manifest(path).files
        for path in (run, next((whole / "transfer").iterdir()))
    ]
    (mapped, expected) = (
        {name: one for name, one in files.items() if name.startswith("mapping")}
        for files in digests
    )
    assert mapped == expected and mapped


@pytest.mark.usefixtures("minari_root")
@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (("-n", 0), 2, "-n 0 takes no step in the target, and there is no --target-d"),
        (("--target-data", "LOG", "-n", 0, "--improve"), 2, "--improve learns from"),
        (("--target-data", "LOG", "-n", -1), 2, "--n-timesteps is at least 0, got -1"),
        (("--target-data", "LOG", "-n", 50), 2, "at least 400 target steps (or 0)"),
        (("--target-data", "minari:a/b-v0"), 2, "download it: minari download a/b-v0"),
        (("--target-data", "gone.npz"), 2, "there is no gone.npz; check the path"),
        (("--target-data", "OTHER"), 2, "shows 4 numbers, observation of"),
        (("--target-data", "FEW"), 2, "fewer than 100 logged steps cannot fix"),
        (("--target-data", "NO ACTIONS"), 2, "it has no action; record it with"),
        (("--target-data", "DAMAGED"), 76, "damaged or cut off"),
        (("--source-data", "OTHER"), 2, "CartPole-v1 shows 4 numbers"),
        (("--source-data", "LOG", "none"), 2, "--source-data is given once for each"),
    ],
)
def test_a_log_that_does_not_do_is_one_line_and_leaves_nothing(
    words: tuple[object, ...],
    status: int,
    said: str,
    command: Command,
    agent: Path,
    log: Path,
    tmp_path: Path,
) -> None:
    columns = columns_of(target(), 120)
    made = {
        "OTHER": columns_of(gym.make("MountainCar-v0"), 120),
        "FEW": {name: rows[:50] for name, rows in columns.items()},
        "NO ACTIONS": {n: rows for n, rows in columns.items() if n != "action"},
    }
    paths = {"LOG": log, "DAMAGED": tmp_path / "damaged.npz"}
    paths["DAMAGED"].write_bytes(log.read_bytes()[:-1])
    for name, arrays in made.items():
        paths[name] = tmp_path / f"{name}.npz"
        np.savez(paths[name], **arrays)  # type: ignore[arg-type]
    runs = tmp_path / "runs"
    asked = [paths.get(str(word), word) for word in words]
    call = command(
        *("transfer", "--source", agent, *TARGET, *QUICK, "-f", runs), *asked
    )
    assert (call.exit_status, said in call.error) == (status, True), call.error
    assert not runs.exists()


def test_the_help_tells_of_logs(command: Command) -> None:
    text = " ".join(command("transfer", "--help").output.split())
    assert "--target-data" in text and "--source-data" in text
    assert json.dumps(text).count("minari:ID") >= 1
