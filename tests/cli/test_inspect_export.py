"""`inspect` and `export`, on a bundle that the test makes."""

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from stable_baselines3 import PPO

from rltransfer.cli import main


@pytest.fixture(scope="module")
def agent(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("agents") / "CartPole-v1.zip"
    PPO("MlpPolicy", "CartPole-v1", n_steps=8, batch_size=8, seed=0).save(path)
    return path


def test_inspect_tells_what_is_inside(
    agent: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    main(["inspect", str(agent), "--json"])
    told = json.loads(capfd.readouterr().out)
    assert told["usable"] and told["algorithm"] == "ppo"
    assert told["action_space"] == "Discrete(2)"
    main(["inspect", str(agent)])
    assert "64 tanh → 64 tanh" in capfd.readouterr().out


def test_inspect_suggests_an_id_for_an_old_one(
    agent: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    old = Path(shutil.copy(agent, tmp_path / "ppo-CartPole-v0.zip"))
    unknown = Path(shutil.copy(agent, tmp_path / "mine.zip"))
    for path, told in (
        (agent, "CartPole-v1"),
        (old, "CartPole-v0"),
        (unknown, "mine (not registered)"),
    ):
        main(["inspect", str(path)])
        assert told in capfd.readouterr().out
    renamed = Path(shutil.copy(agent, tmp_path / "ppo-CartPole-v9.zip"))
    main(["inspect", str(renamed)])
    shown = capfd.readouterr().out
    assert "ppo-CartPole-v9 (not registered; nearest: CartPole-v1)" in shown


@pytest.mark.parametrize("verb", ["inspect", "evaluate", "export"])
def test_a_hash_can_be_asked_for(
    verb: str, agent: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    words = {
        "inspect": [],
        "evaluate": ["--episodes", "1"],
        "export": [str(tmp_path / "policy.npz")],
    }[verb]
    digest = hashlib.sha256(agent.read_bytes()).hexdigest()
    main([verb, str(agent), *words, "--sha256", digest])
    capfd.readouterr()
    with pytest.raises(SystemExit) as ended:
        main([verb, str(agent), *words, "--sha256", "0" * 64])
    assert ended.value.code == 76
    told = capfd.readouterr().err
    assert f"must have the SHA-256 {'0' * 64}, it has {digest}; fetch the file" in told


def test_reasons_in_brackets_are_no_markup(
    agent: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "CartPole-v1"
    folder.mkdir()
    shutil.copy(agent, tmp_path)
    (folder / "args.yml").write_text("env_kwargs: {a: '[/red]'}\n")
    main(["inspect", str(tmp_path / "CartPole-v1.zip")])
    assert "[/red]" in capfd.readouterr().out


def test_inspecting_what_is_no_agent_ends_in_one_line(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    note = tmp_path / "note.txt"
    note.write_text("no agent")
    with pytest.raises(SystemExit) as ended:
        main(["inspect", str(note)])
    assert ended.value.code in (2, 76)
    assert capfd.readouterr().err.count("\n") == 1


def test_an_exported_policy_is_plain_arrays(
    agent: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    written = tmp_path / "policy.npz"
    main(["export", str(agent), str(written), "--json"])
    assert json.loads(capfd.readouterr().out)["written"] == str(written)
    with np.load(written, allow_pickle=False) as arrays:
        assert arrays.files


def test_an_unknown_ending_is_refused(
    agent: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["export", str(agent), str(tmp_path / "policy.pt")])
    assert ended.value.code == 2
    assert "must end in" in capfd.readouterr().err
