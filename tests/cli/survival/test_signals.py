"""Being asked to stop ends a transfer where it can go on from, in every phase."""

import json
import random
import signal
from pathlib import Path
from typing import Any

import pytest

from rltransfer.io import read_json
from tests.effort import SCALE, SEED
from tests.worlds.fault_injection import Fault, send, send_twice

from .conftest import left, run_in

pytestmark = pytest.mark.torture

CASE = "discrete"
PHASES = {
    "collecting in the source": ("step", 0.1),
    "collecting in the target": ("step", 0.5),
    "fitting": ("update", 0.5),
    "proving": ("step", 0.85),
    "reporting": ("step", 0.97),
    "storing": ("draft:replace", 0.9),
}
"""The kind of event at which a signal comes, and the share of those before it."""
SIGNALS = (signal.SIGINT, signal.SIGTERM)


def place_of(transfers: Any, phase: str) -> tuple[str, int]:
    kind, share = PHASES[phase]
    return kind, int(share * transfers.events(CASE)[kind])


@pytest.mark.parametrize("group", [False, True], ids=["process", "group"])
@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize("phase", PHASES)
def test_a_transfer_that_is_asked_to_stop_says_how_to_go_on_and_goes_on(
    transfers: Any,
    count: Any,
    tmp_path: Path,
    phase: str,
    number: signal.Signals,
    group: bool,
) -> None:
    kind, at = place_of(transfers, phase)
    ended = transfers.begin(CASE, tmp_path, Fault(kind, at, send(number, group)))
    run = run_in(tmp_path)
    told = f"stopped before the end; go on with rltransfer transfer --resume {run}"
    assert (ended.status, ended.error) == (75, told)
    assert not list(run.rglob(".*.tmp")), "a draft is left"
    ended = transfers.resume(run)
    assert ended.status == 0, ended.text
    assert left(run) == transfers.whole(CASE)
    # What was under way was finished before stopping.
    assert read_json(run / "transfer.json")["steps_taken_again"] == 0
    if kind == "step":
        steps = transfers.events(CASE)["step"]
        assert at + ended.events.get("step", 0) <= steps
    count("R7", transfer_stops=1)


@pytest.mark.parametrize("group", [False, True], ids=["process", "group"])
@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize(
    "phase", ["collecting in the target", "fitting", "reporting", "storing"]
)
def test_whoever_asks_twice_is_told_the_same(
    transfers: Any,
    count: Any,
    tmp_path: Path,
    phase: str,
    number: signal.Signals,
    group: bool,
) -> None:
    rng = random.Random(f"{SEED} {phase} {number} {group}")
    for repeat in range(SCALE):
        pause = 10 ** rng.uniform(-4, -1.5)
        told = f"seed {SEED}, {pause:.4f} s between two signals"
        folder = tmp_path / str(repeat)
        fault = Fault(*place_of(transfers, phase), send_twice(number, group, pause))
        ended = transfers.begin(CASE, folder, fault)
        run = run_in(folder)
        line = f"stopped before the end; go on with rltransfer transfer --resume {run}"
        assert ended.status == 75, f"{told}: {ended}"
        assert ended.error == line, told
        ended = transfers.resume(run)
        assert ended.status == 0, f"{told}: {ended.text}"
        assert left(run) == transfers.whole(CASE), told
        count("R7", transfer_stops_asked_for_twice=1)


def test_a_stop_is_an_object_of_json_and_a_line(transfers: Any, tmp_path: Path) -> None:
    fault = Fault(*place_of(transfers, "fitting"), send(signal.SIGINT))
    ended = transfers.call([*transfers.words(CASE, tmp_path), "--json"], fault)
    answer, line = ended.text.splitlines()
    message = line.removeprefix("error: ")
    assert json.loads(answer) == {"error": {"message": message, "exit_status": 75}}


@pytest.mark.parametrize("number", SIGNALS)
def test_a_run_that_goes_on_can_be_stopped_again(
    transfers: Any, count: Any, tmp_path: Path, number: signal.Signals
) -> None:
    kind, at = place_of(transfers, "fitting")
    run = None
    for fewer in (at, 1, at // 2):
        fault = Fault(kind, fewer, send(number))
        ended = (
            transfers.begin(CASE, tmp_path, fault)
            if run is None
            else transfers.resume(run, fault)
        )
        run = run_in(tmp_path)
        assert ended.status == 75, f"seed {SEED}: {ended.text}"
        count("R7", transfer_stops=1)
    assert run is not None
    assert transfers.resume(run).status == 0
    assert left(run) == transfers.whole(CASE)
