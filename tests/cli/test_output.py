"""What goes where: results, tables, noise, errors and exit statuses."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from rltransfer.errors import EnvironmentFault, LockedError, Stopped
from rltransfer.workflows import source_agents

from .conftest import Command


def in_a_process(*words: object, code: str = "") -> subprocess.CompletedProcess[str]:
    program = f"{code}\nfrom rltransfer.cli import main\nmain()"
    return subprocess.run(
        [sys.executable, "-c", program, *map(str, words)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_help_needs_none_of_the_heavy_packages() -> None:
    heavy = "{'torch', 'stable_baselines3', 'scipy.stats', 'matplotlib'}"
    code = (
        "import atexit, sys; atexit.register("
        f"lambda: print('heavy:', sorted({heavy} & set(sys.modules))))"
    )
    done = in_a_process("--help", code=code)
    assert done.returncode == 0
    assert "train-source" in done.stdout
    assert done.stdout.endswith("heavy: []\n")


def test_the_module_runs_like_the_script() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "rltransfer", "transfer", "--help"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0
    assert "--target-kwargs" in done.stdout


def test_json_survives_noise_from_python_from_c_and_from_children(agent: Path) -> None:
    noise = """
import os, subprocess, sys, warnings
from rltransfer.domain import Domain
evaluate = Domain.evaluate
def noisy(self, *arguments, **options):
    print("printed")
    os.write(1, b"from C\\n")
    subprocess.run([sys.executable, "-c", "print('from a child')"])
    warnings.warn("a warning")
    return evaluate(self, *arguments, **options)
Domain.evaluate = noisy
"""
    done = in_a_process("evaluate", agent, "--episodes", 2, "--json", code=noise)
    assert done.returncode == 0
    assert json.loads(done.stdout)["episodes"] == 2
    assert done.stdout.count("\n") == 1
    for told in ("printed", "from C", "from a child", "a warning"):
        assert told in done.stderr


def test_an_error_is_one_line_and_with_json_also_one_object(
    command: Command, tmp_path: Path
) -> None:
    plain = command("evaluate", tmp_path / "nothing")
    assert plain.exit_status == 2
    assert plain.output == ""
    assert "no" in plain.error
    as_json = command("evaluate", tmp_path / "nothing", "--json")
    assert as_json.exit_status == 2
    assert as_json.error == plain.error
    assert as_json.json == {"error": {"message": plain.error, "exit_status": 2}}


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("transfer",), "missing option '--source'; see rltransfer transfer --help"),
        (("evaluate", "a", "b"), "unexpected extra argument"),
        (("evaluate", "a", "--episodes", "many"), "--episodes"),
        (("train-source", "--env", "CartPole-v1", "--nosuch"), "--nosuch"),
        (("trainsource",), "Did you mean 'train-source'"),
    ],
)
def test_wrong_usage_is_one_line_that_points_to_help(
    command: Command, words: tuple[str, ...], told: str
) -> None:
    call = command(*words)
    assert call.exit_status == 2
    assert told in call.error


def test_without_a_verb_there_is_help_and_no_error(command: Command) -> None:
    call = command()
    assert call.exit_status == 2
    assert "train-source" in call.output
    assert "error" not in call.errors


@pytest.mark.parametrize(
    ("fault", "exit_status"),
    [
        (LockedError("locked"), 73),
        (Stopped("stopped"), 75),
        (EnvironmentFault("faulty"), 77),
    ],
)
def test_every_kind_of_fault_has_its_exit_status(
    command: Command,
    monkeypatch: pytest.MonkeyPatch,
    fault: Exception,
    exit_status: int,
) -> None:
    def strike(*arguments: object, **options: object) -> None:
        raise fault

    monkeypatch.setattr(source_agents, "load_policy", strike)
    call = command("evaluate", "somewhere", "--json")
    assert call.exit_status == exit_status
    assert call.json["error"] == {"message": str(fault), "exit_status": exit_status}


def test_a_fault_of_the_program_keeps_its_traceback(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    def strike(*arguments: object, **options: object) -> None:
        raise ZeroDivisionError("ours")

    monkeypatch.setattr(source_agents, "load_policy", strike)
    with pytest.raises(ZeroDivisionError, match="ours"):
        command("evaluate", "somewhere")


def test_ctrl_c_is_one_line_that_says_what_was_kept(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    def strike(*arguments: object, **options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(source_agents, "load_policy", strike)
    call = command("evaluate", "somewhere")
    assert call.exit_status == 130
    assert call.error == (
        "stopped before the end; kept: nothing; run the same command again"
    )


def test_ctrl_c_while_training_stops_at_a_boundary(tmp_path: Path) -> None:
    words = ["train-source", "--env", "CartPole-v1", "-n", "1000000", "-f"]
    process = subprocess.Popen(
        [sys.executable, "-m", "rltransfer", *words, str(tmp_path), "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        deadline = time.monotonic() + 90
        while not list(tmp_path.glob("ppo/*/0.monitor.csv")):
            assert time.monotonic() < deadline
            assert process.poll() is None, process.communicate()
            time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 75, errors
    assert "Traceback" not in errors
    assert json.loads(output)["error"]["exit_status"] == 75


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_transfer_that_is_stopped_says_how_to_go_on(
    agent: Path, tmp_path: Path, number: signal.Signals
) -> None:
    target = ("--target", "rltransfer/Scrambled-v0", "--target-kwargs")
    words = ["transfer", "--source", agent, *target, "base=CartPole-v1", "-f", tmp_path]
    process = subprocess.Popen(
        [sys.executable, "-m", "rltransfer", *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        deadline = time.monotonic() + 90
        while not list(tmp_path.glob("transfer/*/tensorboard/*")):
            assert time.monotonic() < deadline
            assert process.poll() is None, process.communicate()
            time.sleep(0.05)
        process.send_signal(number)
        output, errors = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 75, errors
    assert output == ""
    remedy = "error: stopped before the end; go on with rltransfer transfer --resume "
    assert errors.startswith(f"{remedy}{tmp_path}")
    assert len(errors.splitlines()) == 1
