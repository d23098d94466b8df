"""A transfer that ends before its end goes on from its folder, to the same bits."""

import json
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest

from rltransfer.cli.transferring import carry
from rltransfer.domain import Domain
from rltransfer.errors import EnvironmentFault
from rltransfer.files import read_json
from rltransfer.runs import changed_files, read_manifest
from tests.worlds.strikes import QUICK, Strike, called_apart, send, strikes

from .conftest import Command

KILLS = 5
TARGET = (
    *("--target", "rltransfer/Scrambled-v0"),
    *("--target-kwargs", "base=CartPole-v1", "seed=100"),
)
OWN = ("seconds", "run", "picture", "resumed", "sources")
"""What two runs of one transfer may differ in."""


def words(agent: Path, folder: Path) -> list[str]:
    options = ("-n", 600, "--seed", 4, "-f", folder, "--json")
    return [str(word) for word in ("transfer", "--source", agent, *TARGET, *options)]


def run_in(folder: Path) -> Path:
    (run,) = (folder / "transfer").iterdir()
    return run


def resumed(run: Path, output: Path, strike: Strike | None = None) -> int:
    return called_apart(["transfer", "--resume", str(run), "--json"], output, strike)


def left(run: Path) -> dict[str, Any]:
    """Returns what a finished run left: its figures, and the bits of its mapping."""
    manifest = read_manifest(run)
    assert changed_files(run, manifest) == []
    assert not (run / ".resume").exists()
    assert len(list((run / "tensorboard").iterdir())) == 1
    record = {k: v for k, v in read_json(run / "transfer.json").items() if k not in OWN}
    mapping = {k: v for k, v in manifest.files.items() if k.startswith("mapping/")}
    assert mapping
    return record | mapping


@pytest.fixture
def little_effort(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(carry, "AlignConfig", QUICK)


@pytest.fixture(scope="module")
def whole(agent: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run that nothing interrupted, with a count of its events."""
    folder = tmp_path_factory.mktemp("whole")
    output = folder / "output"
    assert called_apart(words(agent, folder), output, None) == 0, output.read_text()
    return folder


@pytest.fixture(scope="module")
def events(whole: Path) -> dict[str, int]:
    counted: dict[str, int] = json.loads((whole / "output.events").read_text())
    return counted


@pytest.fixture
def interrupted(
    agent: Path, tmp_path: Path, events: dict[str, int]
) -> tuple[Path, Strike]:
    """A run that was killed while its candidates were acted with."""
    kill = Strike("step", 900, send(signal.SIGKILL))
    folder = tmp_path / "interrupted"
    code = called_apart(words(agent, folder), tmp_path / "killed", kill)
    assert code == -signal.SIGKILL
    return run_in(folder), kill


def test_a_run_that_is_killed_ends_as_if_it_had_not(
    agent: Path, tmp_path: Path, whole: Path, events: dict[str, int]
) -> None:
    expected = left(run_in(whole))
    output = tmp_path / "output"
    deaths = 0
    for place, kill in enumerate(
        strikes(events, KILLS, seed=3, deed=send(signal.SIGKILL))
    ):
        folder = tmp_path / str(place)
        code = called_apart(words(agent, folder), output, kill)
        assert code == -signal.SIGKILL
        deaths += 1
        run = run_in(folder)
        if not (run / ".resume" / "request.json").exists():
            continue  # so early that there is nothing to go on from
        # Whoever goes on may be killed as well.
        if resumed(run, output, kill) == -signal.SIGKILL:
            deaths += 1
        assert resumed(run, output) == 0, output.read_text()
        assert left(run) == expected, kill
    print(f"{KILLS} runs end alike after {deaths} kills")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("kind", ["step", "update"])
def test_a_run_that_is_stopped_says_how_to_go_on_and_goes_on(
    agent: Path,
    tmp_path: Path,
    whole: Path,
    events: dict[str, int],
    kind: str,
    number: signal.Signals,
) -> None:
    strike = Strike(kind, events[kind] * 2 // 3, send(number))
    folder, output = tmp_path / "runs", tmp_path / "output"
    assert called_apart(words(agent, folder), output, strike) == 75
    run = run_in(folder)
    # The object of --json and the line for people.
    answer, line = output.read_text().splitlines()
    told = f"stopped before the end; go on with rltransfer transfer --resume {run}"
    assert line == f"error: {told}"
    assert json.loads(answer) == {"error": {"message": told, "exit_status": 75}}
    assert resumed(run, output) == 0, output.read_text()
    assert left(run) == left(run_in(whole))
    # What was under way was finished before stopping.
    assert read_json(run / "transfer.json")["steps_taken_again"] == 0
    after = json.loads(output.with_suffix(".events").read_text())
    if kind == "step":
        assert strike.at + after.get("step", 0) <= events["step"]


def test_a_run_tells_that_it_was_resumed(
    interrupted: tuple[Path, Strike], tmp_path: Path
) -> None:
    run, _ = interrupted
    output = tmp_path / "output"
    assert called_apart(["transfer", "--resume", str(run)], output, None) == 0
    assert "resume" in output.read_text() and "exact" in output.read_text()
    assert read_manifest(run).results["resumed"] == "exact"


def test_a_finished_run_says_so_and_stays_as_it_is(
    command: Command, whole: Path
) -> None:
    run = run_in(whole)
    before = left(run)
    call = command("transfer", "--resume", run)
    assert call.exit_status == 0
    assert "nothing to do, the run is finished" in call.output
    again = command("transfer", "--resume", run, "--json")
    assert again.json == read_json(run / "transfer.json")
    assert left(run) == before


@pytest.mark.usefixtures("little_effort")
def test_a_damaged_page_is_refused_by_its_name(
    command: Command, interrupted: tuple[Path, Strike], tmp_path: Path
) -> None:
    run, _ = interrupted
    for name in ("request.json", "0000.json", "0000.safetensors"):
        copy = tmp_path / "copy"
        shutil.copytree(run, copy)
        page = copy / ".resume" / name
        page.write_bytes(page.read_bytes().replace(b"0", b"1"))
        call = command("transfer", "--resume", copy)
        assert call.exit_status == 76
        assert name in call.error
        shutil.rmtree(copy)


def test_another_version_of_the_rules_is_refused(
    command: Command, interrupted: tuple[Path, Strike]
) -> None:
    run, _ = interrupted
    # The run was begun with little effort; here the defaults hold.
    call = command("transfer", "--resume", run)
    assert call.exit_status == 76
    assert "a run goes on with what it was begun with" in call.error
    assert "align.learning.updates=20 and now it is 2500" in call.error


@pytest.mark.parametrize(
    "option", [("--seed", 5), ("--target", "CartPole-v1"), ("-n", 700)]
)
def test_options_beside_resume_are_refused(
    command: Command, whole: Path, option: tuple[object, ...]
) -> None:
    call = command("transfer", "--resume", run_in(whole), *option)
    assert call.exit_status == 2
    assert "--resume takes all else from the folder of the run" in call.error


def test_a_folder_of_something_else_is_refused_and_left_alone(
    command: Command, agent: Path, tmp_path: Path
) -> None:
    for folder in (agent, tmp_path, tmp_path / "nothing"):
        call = command("transfer", "--resume", folder)
        assert call.exit_status == 2
        assert "--resume takes the folder of one run of transfer" in call.error
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("little_effort")
def test_a_fault_of_the_target_keeps_what_was_acted(
    command: Command,
    agent: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    step = Domain.step

    def faulty(self: Domain, action: Any) -> Any:
        if self.name != "CartPole-v1" and self.meter.used:
            raise EnvironmentFault(f"{self.name}: the motor burnt")
        return step(self, action)

    monkeypatch.setattr(Domain, "step", faulty)
    call = command(*words(agent, tmp_path)[:-1])
    assert call.exit_status == 77
    run = run_in(tmp_path)
    assert call.error.endswith(
        f"the motor burnt; then go on with rltransfer transfer --resume {run}"
    )
    pages = sorted(path.name for path in (run / ".resume").glob("0*.json"))
    # Three stretches in the source, the exploration of the target.
    assert pages == ["0000.json", "0001.json", "0002.json", "0003.json"]
