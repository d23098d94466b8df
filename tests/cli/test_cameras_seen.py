"""A transfer to a camera, opened again, and what pictures do not allow."""

from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest

import rltransfer
from tests.cli.conftest import QUICK, Command

CAMERA = ("--target", "rltransfer/Camera-v0", "--target-kwargs", "base=CartPole-v1")
LITTLE = ("camera.first_updates=2", "camera.updates=2", "camera.paths=16")


def test_a_transfer_to_pictures_is_opened_again(
    command: Command, agent: Path, tmp_path: Path
) -> None:
    words = ("transfer", "--source", agent, *CAMERA, "beside=positions", "-n", 600)
    weak, named, *effort, plain = QUICK
    made = command(
        *(*words, weak, named, *effort, *LITTLE, plain, "-f", tmp_path, "--json")
    ).json
    mapped = rltransfer.load_agent(made["run"])
    env = gym.make("rltransfer/Camera-v0", base="CartPole-v1", beside="positions")
    shown = env.reset(seed=0)[0]
    action, _ = mapped.policy.predict(shown, deterministic=True)
    rows = {key: np.stack([shown[key]] * 3) for key in shown}
    assert mapped.policy.predict(rows, deterministic=True)[0].tolist() == [action] * 3
    # What a run keeps must be what acts.
    again = command("evaluate", made["run"], "--episodes", 2, "--json").json
    assert again["mean_return"] >= 8
    for refused, reason in (
        (("evaluate", made["run"], "--adapt"), "sees pictures"),
        (("export", made["run"], tmp_path / "a.onnx"), "maps vectors"),
        (("export", made["run"], tmp_path / "a.npz", "--distil", 4), "sees vectors"),
    ):
        found = command(*refused)
        assert found.exit_status == 2
        assert reason in found.error


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("--improve", "-n", 600), "learning on needs vectors"),
        (("-n", 99), "at least 400 target steps"),
    ],
)
def test_what_pictures_do_not_allow_is_refused_in_one_line(
    command: Command, agent: Path, tmp_path: Path, words: tuple, reason: str
) -> None:
    found = command("transfer", "--source", agent, *CAMERA, *words, "-f", tmp_path)
    assert found.exit_status == 2
    assert reason in found.error


def test_other_motors_are_refused(
    command: Command, agent: Path, tmp_path: Path
) -> None:
    target = (*CAMERA[:2], "--target-kwargs", "base=Pendulum-v1")
    words = ("transfer", "--source", agent, *target, "-n", 600, "-f", tmp_path)
    assert "with the same actions" in command(*words).error


def test_pixels_are_no_variables_to_match(command: Command) -> None:
    camera = ("rltransfer/Camera-v0", "--target-kwargs", "base=CartPole-v1")
    found = command("match", "CartPole-v1", *camera)
    assert found.exit_status == 2
    assert "shows pictures" in found.error
