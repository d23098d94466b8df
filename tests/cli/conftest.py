"""The command line, called in this process, and one agent that every test shares."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import pytest
import typer
from typer.testing import CliRunner

from rltransfer.cli import app


@final
@dataclass(frozen=True)
class Call:
    """What one call of the command line left."""

    exit_status: int
    output: str
    errors: str

    @property
    def json(self) -> dict[str, Any]:
        """The one object on standard output; fails if there is anything else."""
        lines = self.output.splitlines()
        assert len(lines) == 1, self.output
        value = json.loads(lines[0])
        assert isinstance(value, dict)
        return value

    @property
    def error(self) -> str:
        """The one line about what went wrong; fails if there is a traceback."""
        lines = self.errors.strip().splitlines()
        errors = [line for line in lines if line.startswith("error: ")]
        assert len(errors) == 1, self.errors
        assert "Traceback" not in self.errors
        return errors[0].removeprefix("error: ")


Command = Callable[..., Call]

REPORTED = (
    "--weak-source",
    "--hyperparams",
    *("restarts=2", "updates=10", "rounds=1", "source_steps=600"),
    *("learning.width=16", "learning.updates=20", "actions.updates=20"),
)
"""For transfers that take little effort, and write a report."""
QUICK = (*REPORTED, "--no-report")
"""For those that write none."""


def call(*words: object, app: typer.Typer = app) -> Call:
    """Runs `rltransfer`, or another command line, with these words."""
    arguments: Sequence[str] = [str(word) for word in words]
    result = CliRunner().invoke(app, arguments)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Call(result.exit_code, result.stdout, result.stderr)


@pytest.fixture
def command() -> Command:
    """Runs `rltransfer` in this process."""
    return call


@pytest.fixture(scope="session")
def refused(agent: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run folder of a transfer to a Pendulum that was refused."""
    folder = tmp_path_factory.mktemp("runs")
    short = ("--target-kwargs", "max_episode_steps=50")
    words = ("--target", "Pendulum-v1", *short, "-n", 600, *REPORTED)
    found = call("transfer", "--source", agent, *words, "-f", folder, "--json")
    assert found.exit_status == 0, found.errors
    assert found.json["accepted"] is False
    return Path(found.json["run"])


@pytest.fixture(scope="session")
def agent(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run folder of an agent that has hardly learnt anything."""
    folder = tmp_path_factory.mktemp("agents")
    found = call(
        *("train-source", "--env", "CartPole-v1", "-n", 256, "-f", folder, "--json")
    )
    assert found.exit_status == 0, found.errors
    return Path(found.json["runs"][0]["run"])
