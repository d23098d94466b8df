"""An agent of numbered states, from its training to a transfer that is opened again."""

from pathlib import Path

import numpy as np
import pytest

import rltransfer
from tests.cli.conftest import Command

LAKE = ("--target", "rltransfer/Scrambled-v0", "--target-kwargs")
LAKE += ("base=FrozenLake-v1", "is_slippery=False", "seed=103")
FAST = ("--weak-source", "--no-report", "--hyperparams", "source_steps=1500")


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = rltransfer.train_source(
        "FrozenLake-v1",
        "dqn",
        steps=1_100,
        env_kwargs={"is_slippery": False},
        log_folder=tmp_path_factory.mktemp("lake"),
    )
    return Path(made.runs[0].folder)


def test_states_are_told_and_the_transfer_is_opened_again(
    command: Command, lake: Path, tmp_path: Path
) -> None:
    words = ("transfer", "--source", lake, *LAKE, "-n", 600, *FAST, "-f", tmp_path)
    made = command(*words, "--json").json
    # Two deterministic worlds and one policy: it does the same in both.
    assert made["zero_shot"]["mean_return"] == made["source_at_home"]["mean_return"]
    mapped = rltransfer.load_agent(made["run"])
    assert np.shape(mapped.policy.predict(np.int64(3), deterministic=True)[0]) == ()
    several = mapped.policy.predict(np.arange(16), deterministic=True)[0]
    assert several.shape == (16,)
    adapted = command("evaluate", made["run"], "--adapt")
    assert adapted.exit_status == 2
    assert "are numbers; transfer to it anew" in adapted.error
    exported = command("export", made["run"], tmp_path / "lake.onnx")
    assert exported.exit_status == 2
    assert "only policies of vectors" in exported.error


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("--improve", "-n", 4000), "learning on needs vectors"),
        (("--target", "CartPole-v1", "-n", 600), "choose another source"),
        (("--target", "CliffWalking-v1", "-n", 99), "at least 400 target steps"),
    ],
)
def test_what_numbers_do_not_allow_is_refused_in_one_line(
    command: Command, lake: Path, tmp_path: Path, words: tuple, reason: str
) -> None:
    target = () if "--target" in words else LAKE
    found = command("transfer", "--source", lake, *target, *words, "-f", tmp_path)
    assert found.exit_status == 2
    assert reason in found.error


def test_variables_are_not_told_where_there_are_none(command: Command) -> None:
    found = command("match", "FrozenLake-v1", "FrozenLake-v1")
    assert found.exit_status == 2
    assert "transfer tells its states apart" in found.error
