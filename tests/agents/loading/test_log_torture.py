"""The security targets S1 to S3 for logs; children, as for agents."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Count
from tests.effort import SCALE, SEED

pytestmark = pytest.mark.torture
pytest.importorskip("minari", reason="the extra minari is missing")

_SCRIPT = Path(__file__).parent / "torture" / "hostile_logs.py"
_FLIPS = 2_500


@pytest.fixture(scope="module")
def report() -> dict[str, Any]:
    effort = ("--seed", str(SEED), "--flips", str(_FLIPS * SCALE))
    child = subprocess.run(
        [sys.executable, "-W", "ignore", str(_SCRIPT), *effort],
        capture_output=True,
        text=True,
    )
    assert child.returncode == 0, child.stderr[-2000:]
    found: dict[str, Any] = json.loads(child.stdout)
    return found


def test_no_log_runs_anything(report: dict[str, Any], count: Count) -> None:
    told = report["S1"]
    count("S1", logs=told["vectors"], forbidden_events_of_logs=len(told["events"]))
    assert told["events"] == [] and not told["struck"]
    assert told["stock struck"]  # the watch has something to see
    assert told["vectors"] >= 10


@pytest.mark.parametrize("data_format", ["npz", "hdf5", "arrow", "parquet"])
def test_damaged_logs_are_told_or_read_as_numbers(
    report: dict[str, Any], data_format: str, count: Count
) -> None:
    cut, flipped = (report[data_format][target] for target in ("S2", "S3"))
    count("S2", truncated_logs=sum(cut.values()))
    count("S3", flips_in_logs=sum(flipped.values()))
    count("S3", read_otherwise=flipped.get("other numbers", 0))
    lost = sum(n for ended, n in flipped.items() if ended.startswith("died"))
    count("S3", readers_of_logs_lost=lost)
    assert set(cut) <= {"refused", "refused by the library"}
    assert sum(flipped.values()) == _FLIPS * SCALE
    assert flipped["the same"] > 0
    if data_format == "npz":
        # Its checksums tell every changed number, and no library crashes.
        assert set(flipped) == {"refused", "the same"}
