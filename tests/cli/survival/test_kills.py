"""A transfer that is killed goes on to the same end as one that is not."""

import random
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.effort import SCALE, SEED
from tests.worlds.fault_injection import KINDS, Fault, random_faults, send
from tests.worlds.os_calls import DRAFT, EVENTS

from .conftest import can_go_on, curves, left, run_in

pytestmark = pytest.mark.torture

KILLS = 7 * SCALE
"""For each configuration."""
KILLS_IN_A_ROW = 5
KILL = send(signal.SIGKILL)
POINTS = (*DRAFT, *EVENTS)


def test_a_transfer_killed_at_random_ends_as_if_it_had_not(
    transfers: Any, count: Any, name: str, tmp_path: Path
) -> None:
    events, expected = transfers.events(name), transfers.whole(name)
    kills = chains = 0
    while kills < KILLS:
        assert chains < 10 * KILLS, f"{name}: hardly ever killed in time"
        told = f"{name}, seed {SEED}, chain {chains}"
        folder = tmp_path / str(chains)
        places = random_faults(events, KILLS_IN_A_ROW, f"{SEED} {name} {chains}", KILL)
        random.Random(f"{SEED} {chains}").shuffle(places)
        chains += 1
        ended = transfers.begin(name, folder, places[0])
        # A kill before the request is written leaves nothing to go on with.
        if not can_go_on(folder):
            assert ended.status == -signal.SIGKILL, f"{told}: {ended.text}"
            continue
        killed, run = 0, run_in(folder)
        # What comes after the end of the run, or after the last place, ends the chain.
        for place in (*places[1:], None):
            if ended.status == 0:
                break
            assert ended.status == -signal.SIGKILL, f"{told}: {ended.text}"
            killed += 1
            ended = transfers.resume(run, place)
        assert ended.status == 0, f"{told}, {places}: {ended.text}"
        assert left(run) == expected, f"{told}, {places}"
        kills += killed
    count("R1", transfer_kills=kills, transfer_chains=chains, transfers=name)


@pytest.mark.parametrize("nth", ["first", "later"])
@pytest.mark.parametrize("point", POINTS)
def test_a_kill_while_writing_leaves_what_a_transfer_goes_on_from(
    transfers: Any, count: Any, tmp_path: Path, point: str, nth: str
) -> None:
    rng = random.Random(f"{SEED} {point}")
    happens = transfers.events("refused")[point]
    for repeat in range(1 if nth == "first" else SCALE):
        at = 1 if nth == "first" else rng.randint(2, happens)
        told = f"seed {SEED}, {point} {at} of {happens}"
        folder = tmp_path / str(repeat)
        ended = transfers.begin("refused", folder, Fault(point, at, KILL))
        assert ended.status == -signal.SIGKILL, f"{told}: {ended.text}"
        run = run_in(folder)
        ended = transfers.resume(run)
        if not can_go_on(folder) and ended.status:
            assert nth == "first", told
            assert ended.status == 2 and str(run) in ended.error
        else:
            assert ended.status == 0, f"{told}: {ended.text}"
            assert left(run) == transfers.whole("refused"), told
        count("R2", transfer_kills=1)


@pytest.mark.parametrize("when", ["learning", "writing", "later"])
def test_a_transfer_killed_around_keeping_a_source_model_ends_the_same(
    transfers: Any, count: Any, tmp_path: Path, when: str
) -> None:
    words = transfers.words("discrete", tmp_path)
    assert words.pop() == "--no-cache"
    folder = Path(words[2]) / ".source-models"
    for kept in folder.glob("*"):
        kept.unlink()
    fault = {
        "learning": Fault("update", 5, KILL),
        # After the request and two figures at home.
        "writing": Fault("draft:replace", 4, KILL),
        "later": Fault("step", transfers.events("discrete")["step"], KILL),
    }[when]
    ended = transfers.call(words, fault)
    assert ended.status == -signal.SIGKILL, ended.text
    assert len(list(folder.glob("*.safetensors"))) == (when == "later")
    ended = transfers.resume(run_in(tmp_path))
    assert ended.status == 0, ended.text
    assert left(run_in(tmp_path)) == transfers.whole("discrete")
    count("R1", transfer_kills=1)
    # Now it is read by a run that nothing interrupts.
    (kept,) = folder.glob("*.safetensors")
    written = kept.stat().st_mtime_ns
    ended = transfers.call([*words, "-f", tmp_path / "warm"])
    assert ended.status == 0, ended.text
    assert left(run_in(tmp_path / "warm")) == transfers.whole("discrete")
    assert kept.stat().st_mtime_ns == written


def test_a_killed_transfer_goes_on_in_another_place(
    transfers: Any, count: Any, tmp_path: Path
) -> None:
    at = transfers.events("refused")["update"]
    folder = tmp_path / "here"
    ended = transfers.begin("refused", folder, Fault("update", at, KILL))
    assert ended.status == -signal.SIGKILL, ended.text
    ended = transfers.resume(run_in(folder.rename(tmp_path / "there")))
    assert ended.status == 0, ended.text
    assert left(run_in(tmp_path / "there")) == transfers.whole("refused")
    count("R1", transfer_kills=1)


def test_curves_in_a_folder_that_runs_share_are_not_doubled(
    transfers: Any, count: Any, tmp_path: Path
) -> None:
    at = transfers.events("refused")["update"]
    runs, shared = tmp_path / "runs", tmp_path / "shared"
    words = [*transfers.words("refused", runs), "--tensorboard-log", shared]
    ended = transfers.call(words, Fault("update", at, KILL))
    assert ended.status == -signal.SIGKILL, ended.text
    run = run_in(runs)
    assert transfers.call(words).status == 0
    assert transfers.resume(run).status == 0
    assert len(list(shared.iterdir())) == 2
    for events in shared.iterdir():
        (alone := tmp_path / events.suffix).mkdir()
        events.rename(alone / events.name)
        assert curves(alone) == transfers.whole("refused")["curves"]
    count("R1", transfer_kills=1)


def test_the_list_of_points_is_complete(transfers: Any) -> None:
    assert set(transfers.events("discrete")) - set(KINDS) == set(POINTS)
