"""`train-source` stops on demand and goes on from its folder, from the command line."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from rltransfer.io import read_manifest

from .conftest import Command

_STEPS = 3_000
_SECONDS = 90


def begun(folder: Path, *words: object) -> "subprocess.Popen[str]":
    """Starts a training and returns once it has a snapshot to go on from."""
    command = [sys.executable, "-m", "rltransfer", "train-source", "-n", str(_STEPS)]
    command += ["--env", "CartPole-v1", "--seed", "3", "-f", str(folder)]
    process = subprocess.Popen(
        [*command, *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    end = time.monotonic() + _SECONDS
    while not list(folder.glob("*/*/.resume")) and time.monotonic() < end:
        time.sleep(0.01)
    return process


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_training_that_is_stopped_goes_on_to_the_same_state(
    command: Command, tmp_path: Path, number: signal.Signals
) -> None:
    process = begun(tmp_path)
    os.kill(process.pid, number)
    _, errors = process.communicate(timeout=_SECONDS)
    assert process.returncode == 75, errors
    run = tmp_path / "ppo" / "CartPole-v1_1"
    line = errors.splitlines()[-1]
    assert line.startswith("error: CartPole-v1: stopped at step ")
    assert line.endswith(f"; go on with rltransfer train-source --resume {run}")
    call = command("train-source", "--resume", run, "--json")
    assert call.exit_status == 0, call.errors
    (told,) = call.json["runs"]
    assert told["resumed"] == "exact" and told["reproducibility_warnings"] == []
    whole = command(
        *("train-source", "--env", "CartPole-v1", "-n", _STEPS, "--seed", 3),
        *("-f", tmp_path / "whole", "--json"),
    )
    (uninterrupted,) = whole.json["runs"]
    states = [
        read_manifest(Path(found["run"])).results["state_sha256"]
        for found in (told, uninterrupted)
    ]
    assert states[0] == states[1]
    assert told["mean_return"] == uninterrupted["mean_return"]


def test_a_finished_training_is_shown_as_it_is(command: Command, agent: Path) -> None:
    before = (agent / "manifest.json").read_bytes()
    call = command("train-source", "--resume", agent)
    assert call.exit_status == 0
    assert "mean return" in call.output and "CartPole-v1" in call.output
    assert (agent / "manifest.json").read_bytes() == before


@pytest.mark.parametrize(
    "words",
    [
        ("--env-kwargs", "g=1"),
        ("-n", 7),
        ("--seed", 0),
        ("--algo=ppo",),
        ("--vec-env", "subproc"),
    ],
)
def test_options_beside_resume_are_refused(
    command: Command, agent: Path, words: tuple[object, ...]
) -> None:
    call = command("train-source", "--resume", agent, *words)
    assert call.exit_status == 2
    option = str(words[0]).partition("=")[0]
    assert f"takes all else from the folder of the run, got {option} too" in call.error


def test_a_folder_of_something_else_is_refused_and_left_alone(
    command: Command, tmp_path: Path
) -> None:
    for folder in (tmp_path, tmp_path / "nothing"):
        call = command("train-source", "--resume", folder)
        assert call.exit_status == 2
        assert "--resume takes the folder of one run of train-source" in call.error
    assert list(tmp_path.iterdir()) == []


def test_without_environment_and_run_the_option_is_named(command: Command) -> None:
    call = command("train-source")
    assert call.exit_status == 2
    assert call.error == "missing option '--env'; see rltransfer train-source --help"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--vec-env", "thread"), "--vec-env is dummy or subproc, got 'thread'"),
        (("--step-seconds", 0), "--step-seconds is a time above 0, got 0.0"),
        (("--step-seconds", "nan"), "--step-seconds is a time above 0, got nan"),
    ],
)
@pytest.mark.parametrize("verb", ["train-source", "transfer", "evaluate"])
def test_where_and_how_long_environments_step_is_checked(
    command: Command, agent: Path, words: tuple[object, ...], told: str, verb: str
) -> None:
    where: dict[str, tuple[object, ...]] = {
        "train-source": ("--env", "CartPole-v1"),
        "transfer": ("--source", agent, "--target", "CartPole-v1"),
        "evaluate": (agent,),
    }
    call = command(verb, *where[verb], *words)
    assert call.exit_status == 2
    assert told in call.error


def test_an_environment_of_a_module_goes_on_where_the_user_names_it(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = (
        "import gymnasium as gym\n"
        "gym.register('My-v0', lambda: gym.make('CartPole-v1'))\n"
    )
    (tmp_path / "my_worlds.py").write_text(page)
    monkeypatch.syspath_prepend(str(tmp_path))
    typed, folder = "my_worlds:My-v0", tmp_path / "runs"
    begun = command("train-source", "--env", typed, "-n", 64, "-f", folder, "--json")
    (run,) = (Path(run["run"]) for run in begun.json["runs"])
    (run / "manifest.json").unlink()
    alone = command("train-source", "--resume", run)
    assert alone.exit_status == 76
    assert "an id in a file must be registered and name no module" in alone.error
    named = command("train-source", "--resume", run, "--env", typed, "--json")
    assert named.exit_status == 0, named.errors
    assert named.json["runs"][0]["env"] == typed
