"""Each thing a user can get wrong has one line: the rule, the value, the remedy."""

import re
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium import spaces
from stable_baselines3 import PPO

from .conftest import Command

BASE = "CartPole-v1"
IMPROVE = ("--target", BASE, "--improve", "-n", "9000")


class Faulty(gym.Wrapper[Any, Any, Any, Any]):
    """CartPole whose third step breaks the contract."""

    def __init__(self, env: gym.Env[Any, Any], field: str) -> None:
        super().__init__(env)
        self._field = field
        self._steps = 0

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        observation, reward, *rest = super().step(action)
        self._steps += 1
        if self._steps == 3 and self._field == "raises":
            raise OSError("the motor is gone")
        if self._steps == 3 and self._field == "reward":
            reward = float("nan")
        if self._steps == 3 and self._field == "observation":
            observation = observation * np.nan
        return (observation, reward, *rest)  # type: ignore[return-value]


class Unmappable(gym.Env[Any, Any]):
    """Shows what no mapping takes."""

    def __init__(self, kind: str) -> None:
        number = spaces.Box(-1, 1, (2,))
        image = spaces.Box(0, 255, (36, 36, 3), np.uint8)
        self.observation_space = {"dict": spaces.Dict({"a": number}), "image": image}[
            kind
        ]
        self.action_space = spaces.Discrete(2)

    def reset(self, **options: Any) -> tuple[Any, dict[str, Any]]:
        return self.observation_space.sample(), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        return self.observation_space.sample(), 0.0, True, False, {}


@pytest.fixture(autouse=True)
def registered() -> Iterator[None]:
    gym.register("test/Faulty-v0", lambda field: Faulty(gym.make(BASE), field))
    gym.register("test/Unmappable-v0", Unmappable)
    yield
    for env_id in ("test/Faulty-v0", "test/Unmappable-v0"):
        del gym.registry[env_id]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--env", "CartPol-v1"), "not registered with Gymnasium; nearest: CartPole"),
        (("--env", BASE, "--algo", "pppo"), "--algo is one of ppo|--algo is one of"),
        (("--env", BASE, "--algo", "sac"), "sac cannot act in CartPole-v1"),
        (("--env", BASE, "-n", "-5"), "--n-timesteps is at least 1, got -5; give more"),
        (("--env", BASE, "-n", "0"), "--n-timesteps is at least 1, got 0"),
        (("--env", BASE, "--seed", "-1"), "--seed must be from 0 to .*, got -1"),
        (("--env", BASE, "--seeds", "0"), "--seeds is at least 1, got 0"),
        (("--env", BASE, "--jobs", "0"), "--jobs is at least 1, got 0"),
        (("--env", BASE, "--ray", "local", "--device", "cuda"), "--ray trains on CPUs"),
        (("--env", BASE, "--env-kwargs", "g"), "key=value pairs, got 'g'"),
        (("--env", BASE, "--env-kwargs", "a=1", "b"), "key=value pairs, got 'b'"),
        (("--env", BASE, "--env-kwargs", "mass=1"), "takes .*; got mass=1"),
        (("--env", BASE, "--hyperparams", "gama=1"), "gama"),
        (("--env", BASE, "--device", "abacus"), "--device names a device .*'abacus'"),
        (
            ("--env", "test/Unmappable-v0", "--env-kwargs", "kind=dict"),
            "Box of one dimension.*Dict.*FlattenObservation",
        ),
        (
            ("--env", "test/Unmappable-v0", "--env-kwargs", "kind=image"),
            "grey uint8 frames",
        ),
    ],
)
def test_wrong_input_to_train_source_is_refused_and_leaves_nothing(
    command: Command, tmp_path: Path, words: tuple[str, ...], told: str
) -> None:
    call = command("train-source", "-n", 64, *words, "-f", tmp_path / "runs")
    assert call.exit_status == 2
    assert _found(told, call.error), call.error
    assert not list(tmp_path.glob("runs/*/*"))


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--target", "CartPol-v1"), "nearest: CartPole-v1"),
        (("--target", "rltransfer/Scrambled-v0"), "base=None"),
        (
            ("--target", "rltransfer/Scrambled-v0", "--target-kwargs", "base=Nope-v1"),
            "'Nope-v1' is not registered",
        ),
        (("--target", BASE, "-n", "-5"), "--n-timesteps is at least 0, got -5"),
        (("--target", BASE, "--episodes", "3"), "--episodes is at least 20 .*, got 3"),
        (("--target", BASE, "--seed", "-3"), "--seed must be from 0"),
        (("--target", BASE, "--strategy", "hold"), "hold without --improve; add"),
        (("--target", BASE, "--threshold", "9"), "9.0 without --improve; add"),
        ((*IMPROVE, "--strategy", "hodl"), "--strategy is one of hold.*got 'hodl'"),
        ((*IMPROVE, "--student", "pppo"), "--student is one of .*got 'pppo'"),
        (
            (*IMPROVE, "--student", "ppo", "--strategy", "prefill"),
            "--student ppo learns from its own draws alone.*choose hold or",
        ),
        ((*IMPROVE, "--student", "sac"), "sac cannot act in CartPole-v1"),
        ((*IMPROVE, "--strategy", "finetune"), "outputs mean what dqn's do, those of"),
        ((*IMPROVE, "--threshold", "nan"), "finite return, got nan"),
        ((*IMPROVE, "--alignment-steps", "9000"), "must leave steps of -n 9000"),
        ((*IMPROVE, "--alignment-steps", "9"), "got 9: raise -n or --alignment-steps"),
        ((*IMPROVE, "-n", "2000"), "learning on needs .*got 1,500; raise -n"),
        (
            ("--target", "Pendulum-v1", "--improve", "-n", "9000"),
            "no reward_threshold of Pendulum-v1; add --threshold",
        ),
        (("--target", BASE, "--device", "cuda"), "--device is cpu here.*got 'cuda'"),
        (("--target", BASE, "--sha256", "a", "--sha256", "b"), "2 for 1"),
        (("--target", BASE, "--source-env", "A-v0", "B-v0"), "2 for 1"),
        (("--target", BASE, "--target-kwargs", "seed=1", "seed=2"), "'seed' twice"),
        (("--target", BASE, "--target-kwargs", "a={1}"), "takes finite .* a of set"),
        (("--target", BASE, "--source-kwargs", "a=1e999"), "takes finite .* of float"),
        (
            ("--target", "test/Unmappable-v0", "--target-kwargs", "kind=image"),
            "Box of one dimension.*grey uint8 frames",
        ),
        (
            ("--target", "test/Unmappable-v0", "--target-kwargs", "kind=dict"),
            "Box of one dimension.*join them with",
        ),
        (
            ("--target", BASE, "--source-env", "Acrobot-v1"),
            r"knows Box\(.*\(4,\), .* and Acrobot-v1 has Box.*in shape; name",
        ),
    ],
)
def test_wrong_input_to_transfer_is_refused_before_anything_is_made(
    command: Command, agent: Path, tmp_path: Path, words: tuple[str, ...], told: str
) -> None:
    call = command("transfer", "--source", agent, *words, "-f", tmp_path / "runs")
    assert call.exit_status == 2
    assert _found(told, call.error), call.error
    assert not list(tmp_path.glob("runs/*/*"))


def test_a_budget_too_small_for_one_round_is_refused(
    command: Command, agent: Path, tmp_path: Path
) -> None:
    words = ("--target", BASE, "-n", 50, "-f", tmp_path)
    call = command("transfer", "--source", agent, *words)
    assert call.exit_status == 2
    assert _found("one round needs .* at least .*, got 50: raise -n", call.error)


def test_a_source_that_is_none_is_refused(command: Command, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for place in ("nowhere", "empty"):
        call = command("transfer", "--source", tmp_path / place, "--target", BASE)
        assert call.exit_status == 2
        assert place in call.error


def test_a_zip_of_something_else_is_refused(command: Command, tmp_path: Path) -> None:
    path = tmp_path / "CartPole-v1.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("letter.txt", "dear reader")
    call = command("transfer", "--source", path, "--target", BASE)
    assert call.exit_status == 76
    assert "CartPole-v1.zip" in call.error


def test_a_hash_that_differs_is_refused(command: Command, agent: Path) -> None:
    call = command("transfer", "--source", agent, "--target", BASE, "--sha256", "0")
    assert call.exit_status == 76
    assert "SHA-256" in call.error


@pytest.mark.parametrize(
    ("field", "told"),
    [
        ("reward", r"test/Faulty-v0.*step \d+.*reward.*nan"),
        ("observation", r"test/Faulty-v0.*step \d+.*observation.*not finite"),
        ("raises", r"test/Faulty-v0.*step \d+.*raised OSError: the motor is gone"),
    ],
)
def test_a_faulty_environment_is_named_with_step_and_field(
    command: Command, agent: Path, tmp_path: Path, field: str, told: str
) -> None:
    where = ("test/Faulty-v0", "--env-kwargs", f"field={field}")
    trained = command("train-source", "-n", 64, "-f", tmp_path, "--env", *where)
    evaluated = command("evaluate", agent, "--env", *where)
    for call in (trained, evaluated):
        assert call.exit_status == 77
        assert _found(told, call.error), call.error


def test_a_missing_extra_is_named(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.startswith("gymnasium.envs.box")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "Box2D", None)
    call = command("train-source", "--env", "LunarLander-v3", "-f", tmp_path)
    assert call.exit_status == 2
    assert 'pip install "rltransfer[box2d]"' in call.error


def test_a_log_folder_that_cannot_be_is_refused_before_training(
    command: Command, tmp_path: Path
) -> None:
    (tmp_path / "runs").touch()
    # Below a file, which no folder can be; a file itself is wrong usage, see below.
    call = command("train-source", "--env", BASE, "-f", tmp_path / "runs" / "today")
    assert call.exit_status == 74
    assert "runs" in call.error
    assert {path.name for path in tmp_path.iterdir()} == {"runs"}


def test_an_agent_is_not_let_loose_where_it_does_not_fit(
    command: Command, agent: Path
) -> None:
    call = command("evaluate", agent, "--env", "Acrobot-v1")
    assert call.exit_status == 2
    assert f"rltransfer transfer --source {agent} --target Acrobot-v1" in call.error
    call = command("evaluate", agent, "--episodes", 0)
    assert "--episodes is at least 1, got 0" in call.error


def _found(pattern: str, text: str) -> bool:
    return re.search(pattern, text) is not None


@pytest.mark.parametrize("option", ["--log-folder", "--tensorboard-log"])
def test_a_file_is_no_folder_for_a_run(
    command: Command, tmp_path: Path, option: str
) -> None:
    (tmp_path / "file").write_text("my own")
    words = ["train-source", "--env", BASE, "-n", 100, "-f", tmp_path / "runs"]
    call = command(*words, option, tmp_path / "file")
    assert call.exit_status == 2
    assert "is a file" in call.error
    assert {path.name for path in tmp_path.iterdir()} == {"file"}


def test_an_export_overwrites_nothing(command: Command, tmp_path: Path) -> None:
    model = PPO("MlpPolicy", BASE, seed=0, policy_kwargs={"net_arch": [4]})
    model.save(tmp_path / f"{BASE}.zip")
    mine = [tmp_path / name for name in ("numpy_loader.py", "agent.onnx")]
    for path in mine:
        path.write_text("my own")
    for name in ("agent.npz", "agent.onnx"):
        call = command("export", tmp_path / f"{BASE}.zip", tmp_path / name)
        assert call.exit_status == 2 and "exists already" in call.error
    assert [path.read_text() for path in mine] == ["my own"] * 2
    assert not (tmp_path / "agent.npz").exists()
    mine[0].unlink()
    call = command("export", tmp_path / f"{BASE}.zip", tmp_path / "agent.npz", "--json")
    assert [Path(path).name for path in call.json["files"]] == [
        "agent.npz",
        "numpy_loader.py",
    ]
    assert all(Path(path).exists() for path in call.json["files"])
