"""A transfer that ends before its end goes on from its folder, to the same bits."""

import shutil
import signal
from pathlib import Path
from typing import Any

import pytest

from rltransfer.domain import Domain
from rltransfer.errors import EnvironmentFault
from rltransfer.io import read_json, read_manifest
from rltransfer.io.tensor_files import kind_of, pack, unpack
from tests.worlds.fault_injection import Fault, send
from tests.worlds.forked_runs import QUICK, called_apart

from .conftest import Command

TARGET = (
    *("--target", "rltransfer/Scrambled-v0"),
    *("--target-kwargs", "base=CartPole-v1", "seed=100"),
)


def words(agent: Path, folder: Path) -> list[str]:
    # Otherwise what it does would depend on the tests before.
    options = ("-n", 600, "--seed", 4, "--no-cache", "-f", folder, "--json")
    return [str(word) for word in ("transfer", "--source", agent, *TARGET, *options)]


def run_in(folder: Path) -> Path:
    (run,) = (folder / "transfer").iterdir()
    return run


def files_of(run: Path) -> dict[str, bytes]:
    # Hidden is only the lock, which names its last owner.
    return {str(path): path.read_bytes() for path in run.rglob("[!.]*.*")}


@pytest.fixture(scope="module")
def whole(agent: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The log folder of a run that nothing interrupted."""
    folder = tmp_path_factory.mktemp("whole")
    output = folder / "output"
    assert called_apart(words(agent, folder), output, None) == 0, output.read_text()
    return folder


@pytest.fixture
def interrupted(agent: Path, tmp_path: Path) -> Path:
    """The folder of a run that was killed while its candidates were fitted."""
    kill = Fault("update", 3, send(signal.SIGKILL))
    folder = tmp_path / "interrupted"
    code = called_apart(words(agent, folder), tmp_path / "killed", kill)
    assert code == -signal.SIGKILL
    return run_in(folder)


def test_a_run_tells_that_it_was_resumed(interrupted: Path, tmp_path: Path) -> None:
    output = tmp_path / "output"
    call = ["transfer", "--resume", interrupted]
    assert called_apart(call, output, None) == 0, output.read_text()
    assert "resume" in output.read_text() and "exact" in output.read_text()
    assert read_manifest(interrupted).results["resumed"] == "exact"


def test_a_finished_run_says_so_and_stays_as_it_is(
    command: Command, whole: Path
) -> None:
    run = run_in(whole)
    before = files_of(run)
    call = command("transfer", "--resume", run)
    assert call.exit_status == 0
    assert "nothing to do, the run is finished" in call.output
    again = command("transfer", "--resume", run, "--json")
    assert again.json == read_json(run / "transfer.json")
    assert files_of(run) == before


@pytest.mark.parametrize("text", [None, "[]", "{}", '{"verdict": 1}', '"verdict"'])
def test_a_finished_run_without_its_record_is_refused(
    command: Command, whole: Path, tmp_path: Path, text: str | None
) -> None:
    run = shutil.copytree(run_in(whole), tmp_path / "copy")
    record = run / "transfer.json"
    record.unlink()
    if text is not None:
        record.write_text(text)
    for words in ([], ["--json"]):
        call = command("transfer", "--resume", run, *words)
        assert call.exit_status == 76
        assert "make the transfer again" in call.error


def test_a_damaged_log_is_refused_by_the_name_of_its_file(
    command: Command, interrupted: Path, tmp_path: Path
) -> None:
    for name in ("request.safetensors", "0000.safetensors"):
        copy = tmp_path / "copy"
        shutil.copytree(interrupted, copy)
        path = copy / ".resume" / name
        path.write_bytes(path.read_bytes().replace(b"0", b"1"))
        call = command("transfer", "--resume", copy)
        assert call.exit_status == 76
        assert name in call.error
        shutil.rmtree(copy)


def test_another_version_of_the_rules_is_refused(
    command: Command, interrupted: Path
) -> None:
    # As if it had been begun by a version with another default.
    path = interrupted / ".resume" / "request.safetensors"
    data = path.read_bytes()
    content, kind = unpack(data).content, kind_of(data)
    assert kind is not None
    content["request"]["align"]["batch_size"] = 128
    path.write_bytes(pack(kind, content, {}))
    call = command("transfer", "--resume", interrupted)
    assert call.exit_status == 76
    assert "a run goes on with what it was begun with" in call.error
    assert "align.batch_size=128 and now it is 256" in call.error


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


def test_a_fault_of_the_target_keeps_what_was_acted(
    command: Command,
    agent: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    step = Domain.step

    def faulty(self: Domain, action: Any) -> Any:
        if self.name != "CartPole-v1" and "selection" in self.budget.taken:
            raise EnvironmentFault(f"{self.name}: the motor burnt")
        return step(self, action)

    monkeypatch.setattr(Domain, "step", faulty)
    # Whether a match settles it depends on the machine, and responses act then.
    call = command(
        *words(agent, tmp_path)[:-1], *QUICK[:-1], "without=matched", QUICK[-1]
    )
    assert call.exit_status == 77
    run = run_in(tmp_path)
    assert call.error.endswith(
        f"the motor burnt; then go on with rltransfer transfer --resume {run}"
    )
    entries = sorted((run / ".resume").glob("0*"))
    numbered = [f"{number:04d}.safetensors" for number in range(len(entries))]
    assert [path.name for path in entries] == numbered
    asked = [unpack(path.read_bytes()).content["asked"] for path in entries]
    # Two figures at home, three stretches in the source, the target's exploration, and
    # then what its actions do in the source, as often as that was asked.
    acted = ["sequences" not in stretch for stretch in asked]
    assert acted == [True] * 6 + [False] * (len(asked) - 6) and len(asked) > 6
