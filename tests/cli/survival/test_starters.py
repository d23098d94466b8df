"""However many set about one run, one goes on with it."""

import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from tests.effort import SCALE
from tests.worlds.fault_injection import Fault, send, wait_for
from tests.worlds.forked_runs import ended

from .conftest import left, run_in

pytestmark = pytest.mark.torture

CONTESTS = 20 * SCALE


@pytest.mark.parametrize("starters", [2, 8])
def test_of_many_who_resume_a_run_one_owns_it(
    transfers: Any, count: Any, tmp_path: Path, starters: int
) -> None:
    kill = Fault("step", 150, send(signal.SIGKILL))
    assert transfers.begin("refused", tmp_path, kill).status == -signal.SIGKILL
    run = run_in(tmp_path)
    for contest in range(CONTESTS):
        gate = tmp_path / f"gate-{contest}"
        # Whoever owns the run waits at its first step until the others are done.
        calls = [
            transfers.start(["transfer", "--resume", run], Fault("step", 1, gate_of))
            for gate_of in [wait_for(gate)] * starters
        ]
        refused = first_ended(calls, starters - 1)
        gate.touch()
        owners = [call for call in calls if call not in refused]
        (owner,) = owners
        pid = owner[0].pid
        for process, output in refused:
            assert ended(process) == 73
            (line,) = output.read_text().splitlines()
            assert f"{run} has one owner at a time and process {pid}" in line
        # The last one may come to its end; the others are killed, and leave no owner.
        if contest < CONTESTS - 1:
            os.kill(pid, signal.SIGKILL)
            assert ended(owner[0]) == -signal.SIGKILL
        else:
            assert ended(owner[0]) == 0, owner[1].read_text()
        count("R8", transfer_contests=1)
    assert left(run) == transfers.whole("refused")


@pytest.mark.parametrize("starters", [2, 8])
def test_runs_that_are_begun_at_once_share_no_folder(
    transfers: Any, count: Any, tmp_path: Path, starters: int
) -> None:
    gate = tmp_path / "gate"
    words = transfers.words("refused", tmp_path)
    fault = Fault("step", 1, wait_for(gate))
    calls = [transfers.start(words, fault) for _ in range(starters)]
    folders = tmp_path / "transfer"
    deadline = time.monotonic() + 60
    while len(list(folders.glob("*/.resume/request.safetensors"))) < starters:
        assert time.monotonic() < deadline, [o.read_text() for _, o in calls]
        time.sleep(0.01)
    gate.touch()
    for process, output in calls:
        assert ended(process) == 0, output.read_text()
    runs = sorted(folders.iterdir())
    assert len(runs) == starters
    for run in runs:
        assert left(run) == transfers.whole("refused")
    count("R8", transfers_begun_at_once=starters)


def first_ended(calls: list[Any], number: int) -> list[Any]:
    """Returns the `number` calls that ended first."""
    deadline = time.monotonic() + 60
    while True:
        done = [call for call in calls if call[0].exitcode is not None]
        if len(done) >= number:
            return done
        assert time.monotonic() < deadline, [call[1].read_text() for call in calls]
        time.sleep(0.01)
