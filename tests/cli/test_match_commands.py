"""`rltransfer match` and `meta-train`, from the words typed to what is printed."""

from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from rltransfer.alignment.matching.match_weights import SHIPPED, read_match_network
from rltransfer.io.event_files import EVENTS
from tests.worlds.logs import columns_of

from .conftest import Command

POLE = ("CartPole-v1", "rltransfer/Sensors-v0", "-n", 400)
REWIRED = ("--target-kwargs", "base=CartPole-v1", "kind=rewired", "seed=3")


def test_a_match_says_of_each_variable_what_it_is(command: Command) -> None:
    found = command("match", *POLE, *REWIRED, "--json")
    assert found.exit_status == 0, found.errors
    told = found.json
    assert told["rows"] == {"source": 400, "target": 400} and told["network"] is True
    kinds = [one["kind"] for one in told["variables"]]
    assert kinds == ["observation"] * 4 + ["action"] * 2
    partners = [one["target"] for one in told["variables"]]
    assert sorted(partners[:4]) == [f"observation {n}" for n in range(4)]
    assert all(0 <= one["confidence"] <= 1 for one in told["variables"])
    assert not any(one["turned"] for one in told["variables"][4:])
    assert told["alternatives"]
    again = command("match", *POLE, *REWIRED, "--json")
    assert again.json == told
    table = command("match", *POLE, *REWIRED)
    assert "pole angle" in table.output and "or else" in table.output


def test_an_agent_stands_for_its_environment(command: Command, agent: Path) -> None:
    found = command("match", agent, "CartPole-v1", "-n", 200, "--json")
    assert found.exit_status == 0, found.errors
    assert found.json["source"] == "CartPole-v1"


@pytest.mark.parametrize(
    ("words", "status", "reason"),
    [
        (("CartPole-v1", "CartPole-v1", "-n", 10), 2, "-n is at least 50"),
        (("CartPole-v1", "Pendulum-v1", "-n", 60), 2, "pairs actions of one kind"),
        (("CartPole-v1", "CartPoll-v1", "-n", 60), 2, "CartPoll"),
        (("CartPole-v1", "CartPole-v1", "--seed", -1), 2, "--seed must be from 0"),
        (("CartPole-v1", "CartPole-v1", "--network", "gone"), 76, "gone is missing"),
        (
            ("CartPole-v1", "CartPole-v1", "--source-kwargs", "size"),
            2,
            "takes key=value pairs",
        ),
    ],
)
def test_wrong_words_for_a_match_are_refused_in_one_line(
    command: Command, words: tuple[object, ...], status: int, reason: str
) -> None:
    found = command("match", *words)
    assert found.exit_status == status
    assert reason in found.error


def test_a_damaged_network_is_refused(command: Command, tmp_path: Path) -> None:
    damaged = tmp_path / "own.safetensors"
    damaged.write_bytes(SHIPPED.read_bytes()[:-1] + b"\x7f")
    found = command("match", "CartPole-v1", "CartPole-v1", "--network", damaged)
    assert found.exit_status == 76
    assert "own.safetensors is damaged" in found.error


def test_a_short_training_leaves_a_network_and_its_table(
    command: Command, tmp_path: Path
) -> None:
    few = ("--held-out", 1, "--json")
    found = command("meta-train", "--minutes", 0.01, "-f", tmp_path, *few)
    assert found.exit_status == 0, found.errors
    told = found.json
    folder = Path(told["run"])
    assert folder == tmp_path / "meta-train" / "matcher_1"
    assert [one["rows"] for one in told["held_out"]] == [256, 1000]
    assert told["examples"] >= 1 and told["updates"] == 4 * told["examples"]
    assert told["command"] == "rltransfer meta-train --minutes 0.01 --seed 0"
    read_match_network(Path(told["weights"]))
    assert not (folder / "training.safetensors").exists()
    assert list((folder / "tensorboard").glob(EVENTS))
    # A finished one is only evaluated.
    again = command("meta-train", "--resume", folder, *few)
    assert again.json["sha256"] == told["sha256"]


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("--minutes", 0), "--minutes must be above 0"),
        (("--held-out", 0), "--held-out is at least 1"),
        (("--minutes", "nan"), "--minutes must be above 0"),
        (("--resume", "nothing"), "--resume takes the folder of a meta-training"),
        (("--resume", "nothing", "--seed", 1), "--resume takes all else from"),
    ],
)
def test_wrong_words_for_a_training_are_refused_in_one_line(
    command: Command, tmp_path: Path, words: tuple[object, ...], reason: str
) -> None:
    here = () if "--resume" in words else ("-f", tmp_path / "runs")
    found = command("meta-train", *words, *here)
    assert found.exit_status == 2
    assert reason in found.error
    assert not (tmp_path / "runs").exists()


def log_of(env_id: str, path: Path, steps: int = 400, **kwargs: Any) -> Path:
    np.savez(path, **columns_of(gym.make(env_id, **kwargs), steps))
    return path


def test_logs_stand_for_random_steps(command: Command, tmp_path: Path) -> None:
    scrambled = {"base": "CartPole-v1", "kind": "rewired", "seed": 3}
    ours = log_of("CartPole-v1", tmp_path / "ours.npz")
    theirs = log_of("rltransfer/Sensors-v0", tmp_path / "theirs.npz", **scrambled)
    logs = ("--source-data", ours, "--target-data", theirs)
    # Nobody acts: the seed draws nothing but the search.
    first, other = (
        command("match", *POLE, *REWIRED, *logs, "--seed", seed, "--json").json
        for seed in (0, 1)
    )
    assert first["rows"] == {"source": 400, "target": 400}
    assert first["variables"] == other["variables"]
    one = command("match", *POLE[:2], "-n", 90, *REWIRED, *logs[:2], "--json").json
    assert one["rows"] == {"source": 400, "target": 90}


def test_a_log_of_another_environment_is_refused(
    command: Command, tmp_path: Path
) -> None:
    pendulum = log_of("Pendulum-v1", tmp_path / "pendulum.npz", 60)
    few = log_of("CartPole-v1", tmp_path / "few.npz", 20)
    columns = columns_of(gym.make("CartPole-v1"), 60)
    del columns["action"]
    np.savez(tmp_path / "mute.npz", **columns)
    damaged = tmp_path / "damaged.npz"
    damaged.write_bytes(few.read_bytes()[:-40])
    for path, status, reason in (
        (pendulum, 2, "CartPole-v1"),
        (few, 2, "fewer than 50 logged steps"),
        (tmp_path / "mute.npz", 2, "it has no action"),
        (tmp_path / "gone.npz", 2, "there is no"),
        (damaged, 76, "damaged.npz"),
    ):
        words = ("CartPole-v1", "CartPole-v1", "--source-data", path)
        found = command("match", *words)
        assert found.exit_status == status, found.errors
        assert reason in found.error
