"""`inspect` and `export`, on a bundle that the test makes."""

import json
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
