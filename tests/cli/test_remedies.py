"""Whatever a message tells to type works when it is typed."""

import ast
import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

import rltransfer
from rltransfer.cli import app
from rltransfer.cli.typed_words import one_value_each

from .conftest import QUICK, Command

ROOT = Path(rltransfer.__file__).parents[1]
PROGRAM = get_command(app)
VERBS: dict[str, Any] = vars(PROGRAM)["commands"]
OPTIONS = {
    verb: {
        name
        for parameter in command.params
        for name in (*parameter.opts, *parameter.secondary_opts)
    }
    | {"--help"}
    for verb, command in VERBS.items()
}
_OPTION = re.compile(r"(?<![\w-])--[a-z][a-z0-9-]*")
_COMMAND = re.compile(rf"rltransfer ({'|'.join(VERBS)})\b([^;:]*)")


def messages() -> Iterator[tuple[str, str]]:
    """Yields each text in the product that is no docstring, and where it is.

    What is filled in when the program runs, reads `{}`.
    """
    folders = ("rltransfer", "envs", "agents")
    for path in (path for name in folders for path in (ROOT / name).rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        unread = {id(part) for node in ast.walk(tree) for part in _no_messages(node)}
        for node in ast.walk(tree):
            if id(node) in unread:
                continue
            where = f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 0)}"
            if isinstance(node, ast.JoinedStr):
                yield where, "".join(_shown(part) for part in node.values)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield where, node.value


def _no_messages(node: ast.AST) -> Iterator[ast.AST]:
    # Docstrings of all kinds stand alone; parts of an f-string come with the whole.
    if isinstance(node, ast.Expr):
        yield node.value
    if isinstance(node, ast.JoinedStr):
        yield from node.values


def _shown(part: ast.expr) -> str:
    if isinstance(part, ast.Constant):
        return str(part.value)
    return "{}"


def parsed(command: str) -> str:
    """Returns the verb of a command, once all its words have been taken.

    Nothing is done: what it does, the tests of its verb say.
    """
    name, verb, *words = shlex.split(command)
    assert name == "rltransfer"
    _, *spread = one_value_each([verb, *words])
    with VERBS[verb].make_context(verb, spread):
        return verb


def command_in(error: str) -> str:
    """Returns the command that an error tells to type."""
    found = re.search(r"rltransfer (?:train-source|transfer|evaluate) .*$", error)
    assert found is not None, error
    return found[0]


def test_every_option_in_a_message_is_an_option() -> None:
    own = {name for parameter in PROGRAM.params for name in parameter.opts}
    known = own.union(*OPTIONS.values())
    wrong = {
        (where, option)
        for where, text in messages()
        for option in _OPTION.findall(text)
        if option not in known
    }
    assert not wrong


def test_every_command_in_a_message_takes_the_options_it_names() -> None:
    seen = 0
    for where, text in messages():
        for verb, rest in _COMMAND.findall(text):
            assert set(_OPTION.findall(rest)) <= OPTIONS[verb], where
            seen += 1
    assert seen >= 3


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--env-kwargs", "seed"), "--env-kwargs"),
        (("--hyperparams", "seed"), "--hyperparams"),
    ],
)
def test_an_example_of_a_pair_is_taken(
    command: Command, tmp_path: Path, words: tuple[str, str], told: str
) -> None:
    begin = ("train-source", "--env", "CartPole-v1", "-n", 64, "-f", tmp_path)
    error = command(*begin, *words).error
    example = re.search(rf"write for example {told} (\S+)$", error)
    assert example is not None, error
    assert command(*begin, told, example[1], "--json").exit_status == 0


def test_an_agent_in_other_spaces_is_told_a_command_that_parses(
    command: Command, agent: Path
) -> None:
    kwargs = ("--env-kwargs", "base=Pendulum-v1", "seed=3")
    call = command("evaluate", agent, "--env", "rltransfer/Scrambled-v0", *kwargs)
    assert call.exit_status == 2
    told = command_in(call.error)
    assert parsed(told) == "transfer"
    assert "--target-kwargs seed=3" in told


def test_a_missing_agent_is_told_a_command_that_parses(
    command: Command, tmp_path: Path
) -> None:
    call = command("evaluate", "CartPole-v1")
    assert call.exit_status == 2
    assert parsed(command_in(call.error)) == "train-source"


FLAKY = """
import os
from pathlib import Path
import gymnasium as gym
from gymnasium.envs.classic_control import CartPoleEnv

class Flaky(CartPoleEnv):
    def step(self, action):
        if not Path(os.environ["MENDED"]).exists():
            self.left = getattr(self, "left", 100) - 1
            if self.left == 0:
                raise RuntimeError("the motor burnt")
        return super().step(action)

gym.register("Flaky-v0", Flaky, max_episode_steps=50)
"""


@pytest.fixture
def flaky(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A module `flaky_module` whose environment fails until a file exists."""
    (tmp_path / "flaky_module.py").write_text(FLAKY)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("MENDED", str(tmp_path / "mended"))
    yield tmp_path / "mended"
    sys.modules.pop("flaky_module", None)


def test_a_training_in_an_environment_of_a_module_goes_on_as_told(
    command: Command, tmp_path: Path, flaky: Path
) -> None:
    words = ("train-source", "--env", "flaky_module:Flaky-v0", "-n", 256)
    call = command(*words, "-f", tmp_path / "runs")
    assert call.exit_status == 77, call.errors
    told = command_in(call.error)
    assert told.endswith("--env flaky_module:Flaky-v0")
    flaky.touch()
    assert command(*shlex.split(told)[1:]).exit_status == 0


def test_a_transfer_to_an_environment_of_a_module_goes_on_as_told(
    command: Command, agent: Path, tmp_path: Path, flaky: Path
) -> None:
    words = ("transfer", "--source", agent, "--target", "flaky_module:Flaky-v0")
    call = command(*words, "-n", 600, *QUICK, "-f", tmp_path / "runs")
    assert call.exit_status == 77, call.errors
    told = command_in(call.error)
    assert told.endswith("--env flaky_module:Flaky-v0")
    flaky.touch()
    call = command(*shlex.split(told)[1:])
    assert call.exit_status == 0, call.errors
