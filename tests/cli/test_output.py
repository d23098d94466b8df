"""What goes where: results, tables, noise, errors and exit statuses."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import typer

from rltransfer.cli.app import Verbs
from rltransfer.cli.arguments import Json
from rltransfer.errors import EnvironmentFault, LockedError, Stopped, set_run_folder

from .conftest import Command, call


def failing(fault: BaseException) -> typer.Typer:
    """A command line whose only verb fails."""
    app = typer.Typer(cls=Verbs, name="rltransfer")

    @app.callback()
    def verbs() -> None:
        """Makes the verb below a verb."""

    @app.command()
    def work(json: Json = False) -> None:
        raise fault

    return app


def in_a_process(*words: object, code: str = "") -> subprocess.CompletedProcess[str]:
    program = f"{code}\nfrom rltransfer.cli import main\nmain()"
    return subprocess.run(
        [sys.executable, "-c", program, *map(str, words)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


HEAVY = "torch stable_baselines3 gymnasium scipy matplotlib pydantic".split()


@pytest.mark.parametrize(
    "code",
    [
        "import rltransfer; dir(rltransfer)",
        "import typer.main as t; from rltransfer.cli import app; t.get_command(app)",
        "from rltransfer.cli import main; main(['--help'])",
    ],
)
def test_importing_and_help_need_none_of_the_heavy_packages(code: str) -> None:
    found = f"{set(HEAVY)} & set(sys.modules)"
    check = f"import atexit, sys; atexit.register(lambda: print({found}))"
    done = subprocess.run(
        [sys.executable, "-c", f"{check}; {code}"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("set()\n")


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
    fault: Exception, exit_status: int
) -> None:
    found = call("work", "--json", app=failing(fault))
    assert found.exit_status == exit_status
    assert found.json["error"] == {"message": str(fault), "exit_status": exit_status}


def test_what_nobody_foresaw_is_one_line_and_a_traceback_in_the_run_folder(
    tmp_path: Path,
) -> None:
    fault = ZeroDivisionError("ours")
    set_run_folder(fault, tmp_path)
    found = call("work", "--json", app=failing(fault))
    assert found.exit_status == 70
    assert found.json["error"] == {"message": found.error, "exit_status": 70}
    assert "unforeseen ZeroDivisionError (ours)" in found.error
    (path,) = tmp_path.iterdir()
    assert str(path) in found.error
    assert "ZeroDivisionError: ours" in path.read_text()


def test_ctrl_c_is_one_line_that_says_what_was_kept() -> None:
    stop = KeyboardInterrupt()
    found = call("work", app=failing(stop))
    assert found.exit_status == 130
    told = "stopped before the end; {}; run the same command again"
    assert found.error == told.format("kept: nothing")
    stop.add_note("kept: runs/a")
    assert call("work", app=failing(stop)).error == told.format("kept: runs/a")


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
    target = ("--weak-source", "--target", "rltransfer/Scrambled-v0", "--target-kwargs")
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
