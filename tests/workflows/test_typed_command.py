"""The command on a page asks for what was asked for."""

import shlex
from dataclasses import fields, replace
from pathlib import Path

import pytest
from typer.main import get_command

from rltransfer.cli.app import app
from rltransfer.cli.typed_words import one_value_each, read_pairs
from rltransfer.workflows.environments import EnvironmentChoice
from rltransfer.workflows.learning_request import LearningRequest
from rltransfer.workflows.report_html import command_of
from rltransfer.workflows.transfer_request import TransferRequest
from rltransfer.workflows.typed_command import typed

SMALL = TransferRequest(
    (Path("runs/ppo/CartPole-v1_1"),), EnvironmentChoice("Acrobot-v1", {})
)


@pytest.mark.parametrize(
    "value", [True, None, 1, -0.5, 1e-9, "text", "None", "true", "1", "a b'c", [1, "x"]]
)
def test_values_come_back_as_they_were(value: object) -> None:
    words = shlex.split(typed("transfer", [("--target-kwargs", {"key": value})]))
    read = read_pairs(words[3:], "--target-kwargs")["key"]
    assert read == value and type(read) is type(value)


def test_what_says_nothing_is_left_out() -> None:
    options = [("--a", None), ("--b", False), ("--c", ()), ("--d", {}), ("--e", "")]
    assert typed("transfer", options) == "rltransfer transfer"
    assert typed("x", [("--a", 0), ("--b", True), ("--c", (1, 2))]) == (
        "rltransfer x --a 0 --b --c 1 2"
    )


def test_a_request_is_told_by_what_shapes_it() -> None:
    assert command_of(SMALL) == (
        "rltransfer transfer --source runs/ppo/CartPole-v1_1 --target Acrobot-v1 "
        "-n 3000 --seed 0"
    )
    more = replace(
        SMALL,
        sources=(Path("hf://sb3/ppo"), Path("b c")),
        weak_source=True,
        hyperparams={"restarts": 2},
        episodes=30,
        progress=True,
    )
    told = command_of(more)
    assert "--source hf://sb3/ppo 'b c' " in told
    assert "--weak-source" in told and "--progress" not in told
    assert "--episodes 30 --hyperparams restarts=2" in told


def test_a_hash_for_each_source_is_read_again() -> None:
    sources = (Path("a"), Path("b"))
    told = command_of(replace(SMALL, sources=sources, digests=("ab" * 32, "cd" * 32)))
    words = one_value_each(shlex.split(told)[1:])
    transfer = get_command(app).commands[words[0]]  # type: ignore[attr-defined]
    read = transfer.make_context("transfer", words[1:]).params
    assert read["sha256"] == ["ab" * 32, "cd" * 32]


def test_logs_are_told_and_no_steps_as_well() -> None:
    logs = {"target_data": "minari:a/b-v0", "source_data": ("none", "c d.npz")}
    told = command_of(replace(SMALL, budget=0, sources=(Path("a"),) * 2, **logs))
    assert "--target-data minari:a/b-v0 --source-data none 'c d.npz' -n 0 " in told


def test_how_to_learn_on_is_told() -> None:
    learning = LearningRequest("td3", threshold=0.0, alignment_steps=500)
    assert command_of(replace(SMALL, learning=learning)).endswith(
        "--improve --student td3 --strategy hold --threshold 0.0 --alignment-steps 500"
    )


def test_what_only_python_can_pass_is_said() -> None:
    made = replace(SMALL, target=EnvironmentChoice("python/Made-v0", {}))
    assert command_of(made).endswith("# with what was passed from Python")


def test_every_option_of_a_request_is_told_or_changes_no_number() -> None:
    silent = {"progress", "stepping", "handle_signals", "cache", "alter", "report"}
    told = {"sources", "target", "learning"}
    known = {"source_environments", "source_kwargs", "weak_source", "digests"}
    known |= {"statistics", "budget", "seed", "log_folder", "episodes", "hyperparams"}
    known |= {"tensorboard_folder", "target_data", "source_data"}
    names = {field.name for field in fields(TransferRequest)}
    assert names - silent - told == known
