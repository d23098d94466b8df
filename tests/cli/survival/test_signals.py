"""Being asked to stop ends a transfer where it can go on from, in every phase."""

import json
import random
import signal
from pathlib import Path
from typing import Any

import pytest

from rltransfer.io import read_json
from tests.effort import SCALE, SEED, paired
from tests.worlds.fault_injection import Fault, send, send_twice

from .conftest import left, run_in

pytestmark = pytest.mark.torture

CASE = "discrete"
PHASES = (
    "measuring at home",
    "collecting in the source",
    "collecting in the target",
    "fitting",
    "proving",
    "reporting",
    "storing",
)
INTERRUPTIBLE = ("measuring at home", "reporting")
"""What is acted there chooses nothing, so a stop need not wait for its end."""
SIGNALS = (signal.SIGINT, signal.SIGTERM)
SENT = [(number, group) for number in SIGNALS for group in (False, True)]
"""Signals, each to the process and to its group."""


def place_of(transfers: Any, phase: str) -> tuple[str, int]:
    """Returns the kind and the number of an event amid a phase.

    The phases that step come in this order; each begins where the record of the whole
    transfer says that those after it begin.
    """
    events, record = transfers.events(CASE), transfers.whole(CASE)
    if phase == "fitting":
        return "update", events["update"] // 2
    if phase == "storing":
        return "draft:replace", int(0.9 * events["draft:replace"])
    taken, reported = record["steps"], record["reported_steps"]
    at_home = sum(
        int(record[name]["mean_return"])
        for name in ("source_at_home", "random_at_home")
    )  # of this cart, a step earns 1
    report = events["step"] - reported
    target = report - record["target_steps"]
    zero_shot = int(record["zero_shot"]["mean_return"])
    places = {
        "measuring at home": at_home // 2,
        "collecting in the source": (at_home + target) // 2,
        "collecting in the target": target + taken["exploration"] // 2,
        "proving": report - taken["acceptance"] // 2,
        # Of the second figure: between two of them no step would be taken again.
        "reporting": report + (zero_shot + reported) // 2,
    }
    return "step", places[phase]


@pytest.mark.parametrize(("phase", "sent"), paired(PHASES, SENT))
def test_a_transfer_that_is_asked_to_stop_says_how_to_go_on_and_goes_on(
    transfers: Any,
    count: Any,
    tmp_path: Path,
    phase: str,
    sent: tuple[signal.Signals, bool],
) -> None:
    kind, at = place_of(transfers, phase)
    ended = transfers.begin(CASE, tmp_path, Fault(kind, at, send(*sent)))
    run = run_in(tmp_path)
    told = f"stopped before the end; go on with rltransfer transfer --resume {run}"
    assert (ended.status, ended.error) == (75, told)
    assert not list(run.rglob(".*.tmp")), "a draft is left"
    ended = transfers.resume(run)
    assert ended.status == 0, ended.text
    assert left(run) == transfers.whole(CASE)
    again = read_json(run / "transfer.json")["steps_taken_again"]
    steps, resumed = transfers.events(CASE)["step"], ended.events.get("step", 0)
    if phase in INTERRUPTIBLE:
        # The signal came just before the step; only the target's are in the record.
        lost = at - 1 + resumed - steps
        assert lost > 0
        assert again == (lost if phase == "reporting" else 0)
    else:
        # What was under way was finished before stopping.
        assert again == 0
        assert kind != "step" or at + resumed <= steps
    count("R7", transfer_stops=1)


@pytest.mark.parametrize(
    ("phase", "sent"),
    paired(
        (
            "measuring at home",
            "collecting in the target",
            "fitting",
            "reporting",
            "storing",
        ),
        SENT,
    ),
)
def test_whoever_asks_twice_is_told_the_same(
    transfers: Any,
    count: Any,
    tmp_path: Path,
    phase: str,
    sent: tuple[signal.Signals, bool],
) -> None:
    number, group = sent
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
