"""A faulty target ends a transfer with its name; mended, the run goes on."""

import shlex
import sys
from pathlib import Path
from typing import Any

import pytest

from rltransfer.errors import ArtifactRefused, EnvironmentFault
from rltransfer.io import read_manifest
from tests.conftest import Count

pytestmark = pytest.mark.torture

MODULE = "tests.agents.training.survival.faulty"
FIELDS = {
    "raise": "step with action {} raised ZeroDivisionError: on purpose",
    "hang": "step has not come back for 0.4 s",
    "NaN observation": "observation is not finite: [1] is nan",
    "infinite observation": "observation is not finite: [0] is inf",
    "shape": "observation has shape (3,), not (2,)",
    "type": "observation has type <U5, not float32",
    "NaN reward": "reward is not finite: nan",
}
STEPS = {"first": 1, "middle": 57, "terminal": 60}


def mend() -> None:
    """Registers the environment where nothing goes wrong any more."""
    faulty: Any = __import__(MODULE, fromlist=["mended"])
    faulty.mended = True


def register() -> None:
    """Registers the environment."""
    __import__(MODULE)


def words(
    transfers: Any, folder: Path, fault: str, at: str, *more: object
) -> list[object]:
    source = transfers.words("discrete", folder)[2]
    target = ("--target", f"{MODULE}:survival/Faulty-v0", "--target-kwargs")
    kwargs = (f"fault={fault}", f"at={STEPS[at]}")
    options = ("-n", 400, "--seed", 4, "--episodes", 1, "-f", folder, *more)
    return ["transfer", "--source", source, *target, *kwargs, *options]


def last_line(call: Any) -> str:
    """Returns the line about what went wrong; Gymnasium may warn before it."""
    line: str = call.text.splitlines()[-1]
    assert line.startswith("error: ") and "Traceback" not in call.text, call.text
    return line


@pytest.mark.parametrize("at", STEPS)
@pytest.mark.parametrize("fault", FIELDS)
def test_a_fault_names_environment_step_and_field(
    transfers: Any, tmp_path: Path, count: Count, fault: str, at: str
) -> None:
    call = transfers.call(words(transfers, tmp_path, fault, at, "--step-seconds", 0.4))
    assert call.status == EnvironmentFault.exit_status, call.text
    told = last_line(call)
    assert "survival/Faulty-v0" in told
    before, _, after = FIELDS[fault].partition("{}")
    assert f", step {STEPS[at]}: {before}" in told and after in told
    (run,) = (tmp_path / "transfer").iterdir()
    assert told.endswith(f"--resume {run} --env {MODULE}:survival/Faulty-v0")
    count("E1", transfer_faults=1)


@pytest.mark.parametrize(
    ("fault", "said"),
    [("die", "step died: killed by SIGKILL"), ("hang", "has not come back for 1 s")],
)
def test_a_target_apart_can_hang_or_die(
    transfers: Any, tmp_path: Path, count: Count, fault: str, said: str
) -> None:
    more = ("--vec-env", "subproc", "--step-seconds", 1)
    call = transfers.call(words(transfers, tmp_path, fault, "middle", *more))
    assert call.status == EnvironmentFault.exit_status, call.text
    told = last_line(call)
    assert f", step {STEPS['middle']}: " in told and said in told
    count("E1", transfer_faults=1)


@pytest.mark.parametrize("vec_env", ["dummy", "subproc"])
def test_a_mended_run_goes_on_and_ends_as_if_nothing_had_been(
    transfers: Any, tmp_path: Path, vec_env: str
) -> None:
    """The place of the environments changes nothing either."""
    ends = []
    for fault in ("raise", "none"):
        folder = tmp_path / fault
        place = ("--vec-env", vec_env if fault == "raise" else "dummy")
        call = transfers.call(words(transfers, folder, fault, "middle", *place))
        (run,) = (folder / "transfer").iterdir()
        if fault == "raise":
            assert call.status == EnvironmentFault.exit_status, call.text
            way_on = shlex.split(call.text.rpartition("rltransfer ")[2])
            call = transfers.resume(run, before=mend)
            assert call.status == ArtifactRefused.exit_status, "a file's word"
            call = transfers.call(way_on, None, mend)
        assert call.status == 0, call.text
        manifest = read_manifest(run)
        ends.append({k: v for k, v in manifest.files.items() if "mapping" in k})
    assert ends[0] == ends[1] and ends[0]


def test_the_module_is_not_imported_by_the_tests_themselves() -> None:
    assert MODULE not in sys.modules
