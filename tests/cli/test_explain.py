"""`rltransfer explain`, on a transfer of little effort that is taken for a good one."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rltransfer.io.tensor_files import read_tensor_file, write_tensor_file
from rltransfer.workflows.run_experience import EXPERIENCE

from .conftest import Command


@pytest.fixture
def accepted(refused: Path, tmp_path: Path) -> Path:
    return with_results(shutil.copytree(refused, tmp_path / "run"), accepted=True)


def with_results(run: Path, **results: Any) -> Path:
    path = run / "manifest.json"
    told = json.loads(path.read_text())
    told["results"].update(results)
    path.write_text(json.dumps(told))
    return run


def test_every_target_variable_is_told(command: Command, accepted: Path) -> None:
    found = command("explain", accepted, "--json")
    assert found.exit_status == 0, found.errors
    told = found.json
    assert told["explained"] and told["reason"] is None
    names = ["cos angle", "sin angle", "angular velocity"]
    assert [one["target"] for one in told["observations"]] == names
    assert [one["target"] for one in told["actions"]] == ["torque"]
    assert all(one["candidates"] >= one["agreeing"] for one in told["observations"])
    shares = {one["target"]: one["share"] for one in told["importance"]}
    assert list(shares) == names
    assert sum(shares.values()) == pytest.approx(1, abs=1e-5)
    assert told["states"] == 128 and 0 <= told["completeness_gap"] < 0.05
    whole = ["cart position", "cart velocity", "pole angle", "pole velocity"]
    mirror = {"sensors": whole, "actions": ["push left ↔ push right"]}
    assert told["symmetries"] == [mirror]
    table = command("explain", accepted).output
    assert "angular velocity" in table and "matters" in table and "↔" in table


@pytest.mark.parametrize(
    ("results", "reason"),
    [
        ({"accepted": False}, "it was refused"),
        ({"accepted": None}, "it is unproved"),
        ({"winner": "student"}, "what acts is what learned on in the target"),
        ({"winner": "scratch"}, "what acts is what learned on in the target"),
    ],
)
def test_a_map_that_does_not_act_is_not_explained(
    results: dict[str, Any], reason: str, command: Command, accepted: Path
) -> None:
    run = with_results(accepted, **results)
    found = command("explain", run, "--json")
    assert found.exit_status == 0, found.errors
    assert not found.json["explained"] and found.json["observations"] == []
    assert reason in found.json["reason"]
    assert "not explained" in command("explain", run).output


def test_what_is_no_run_or_kept_no_steps_is_refused(
    command: Command, agent: Path, accepted: Path
) -> None:
    for path in (agent, "runs/nothing"):
        found = command("explain", path)
        assert found.exit_status == 2
        assert "takes the run folder of a finished transfer" in found.error
    (accepted / EXPERIENCE).unlink()
    found = command("explain", accepted)
    assert found.exit_status == 2 and "make the transfer again" in found.error


def test_kept_steps_that_are_damaged_or_of_another_run_are_refused(
    command: Command, accepted: Path
) -> None:
    path = accepted / EXPERIENCE
    kept = path.read_bytes()
    path.write_bytes(kept[:-1] + bytes([kept[-1] ^ 1]))
    assert command("explain", accepted).exit_status == 76
    path.write_bytes(kept)
    file = read_tensor_file(path, "rltransfer-experience-1")
    hostile = {
        "observation": file.arrays["observation"][:, :-1],
        "state": file.arrays["state"] * np.nan,
        "episode": np.zeros((), np.int64),
    }
    for name, array in hostile.items():
        changed = {**file.arrays, name: array}
        write_tensor_file(path, "rltransfer-experience-1", file.content, changed)
        found = command("explain", accepted)
        assert found.exit_status == 76
        assert "does not fit the mapping beside it" in found.error
    mirrors = {"mirrors": [{"sensors": [99], "actions": [], "error": 0.1}]}
    write_tensor_file(path, "rltransfer-experience-1", mirrors, file.arrays)
    assert command("explain", accepted).exit_status == 76


def test_the_page_says_what_is_not_explained(refused: Path) -> None:
    page = (refused / "report.html").read_text()
    assert "What matters for the action" in page
    assert "Not explained: it was refused" in page
