"""What nobody foresaw is one line, an exit status and a file with the traceback."""

import re
import tempfile
from pathlib import Path

import pytest
import typer

from rltransfer.cli.app import Verbs
from rltransfer.cli.arguments import Json
from rltransfer.io import locked

from .conftest import Command, call


def failing(fault: Exception, run: Path | None = None) -> typer.Typer:
    """A command line whose only verb fails, in the folder of a run where one is."""
    app = typer.Typer(cls=Verbs, name="rltransfer")

    @app.callback()
    def verbs() -> None:
        """Makes the verb below a verb."""

    @app.command()
    def work(json: Json = False) -> None:
        del json
        if run is None:
            raise fault
        with locked(run):
            raise fault

    return app


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def test_the_line_names_type_file_and_whom_to_tell(temporary: Path) -> None:
    found = call("work", app=failing(ZeroDivisionError("ours\nsecond line")))
    assert found.exit_status == 70
    assert found.output == ""
    assert (
        "unforeseen ZeroDivisionError (ours), which is a fault of ours" in found.error
    )
    (file,) = temporary.iterdir()
    assert f"its traceback is in {file}: report it" in found.error
    text = file.read_text()
    assert text.startswith("Traceback") and "in work" in text and "second line" in text


def test_the_traceback_of_a_run_lies_in_its_folder(
    tmp_path: Path, temporary: Path
) -> None:
    run = tmp_path / "run"
    run.mkdir()
    found = call("work", app=failing(KeyError("ours"), run))
    assert found.exit_status == 70
    assert f"its traceback is in {run / 'traceback.txt'}" in found.error
    assert "KeyError: 'ours'" in (run / "traceback.txt").read_text()
    assert list(temporary.iterdir()) == []


def test_a_run_folder_that_is_gone_does_not_lose_the_traceback(
    tmp_path: Path, temporary: Path
) -> None:
    run = tmp_path / "run"
    run.mkdir()
    (run / "traceback.txt").mkdir()
    found = call("work", app=failing(KeyError("ours"), run))
    assert found.exit_status == 70
    (file,) = temporary.iterdir()
    assert str(file) in found.error


def test_with_json_it_is_one_object() -> None:
    found = call("work", "--json", app=failing(ValueError("no number: \x1b[2J")))
    assert found.exit_status == 70
    error = found.json["error"]
    assert error["exit_status"] == 70
    assert re.match("rltransfer failed with an unforeseen ValueError", error["message"])


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("evaluate",),
        ("nosuch",),
        ("evaluate", "a", "--episodes", "many"),
        ("train-source", "--env"),
        ("transfer", "--nosuch"),
    ],
)
def test_wrong_usage_is_one_object_too(
    command: Command, words: tuple[str, ...]
) -> None:
    found = command(*words, "--json")
    assert found.exit_status == 2
    assert found.json["error"]["exit_status"] == 2
    assert found.json["error"]["message"]


def test_help_is_printed_even_with_json(command: Command) -> None:
    found = command("evaluate", "--help", "--json")
    assert found.exit_status == 0
    assert "--episodes" in found.output
