"""The security targets S1 to S5, in the size of CI unless more is asked for.

Children, since an audit hook stays for good and memory is measured for a process.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Count
from tests.effort import SCALE, SEED

pytestmark = pytest.mark.torture

_TORTURE = Path(__file__).parent / "torture"
_LEAST = {"S2": 40_000, "S3": 10_000, "S4": 6_000, "S5": 80}


def printed(*arguments: str) -> list[Any]:
    child = subprocess.run(
        [sys.executable, "-W", "ignore", *arguments], capture_output=True, text=True
    )
    assert child.returncode == 0, child.stderr[-2000:]
    return [json.loads(line) for line in child.stdout.splitlines()]


def test_no_malicious_file_runs_anything(count: Count) -> None:
    (report,) = printed(str(_TORTURE / "malicious.py"))
    count(
        "S1",
        vectors=report["vectors"],
        openings=report["opens"],
        forbidden_events=len(report["events"]),
    )
    assert report["events"] == []
    assert report["vectors"] >= 23
    assert {"pickle.find_class", "os.system"} <= set(report["stock"])
    assert report["stock struck"]


@pytest.mark.parametrize("target", sorted(_LEAST))
def test_damaged_files_are_told(target: str, count: Count) -> None:
    effort = ("--seed", str(SEED), "--scale", str(SCALE))
    (report,) = printed(str(_TORTURE), "--parts", target, *effort)
    outcomes = report["outcomes"]
    loaded = sum(n for ending, n in outcomes.items() if ending.endswith("loaded"))
    count(target, cases=report["cases"], loaded_and_sound=loaded)
    if target == "S4":
        count("S4", most_seconds=f"{report['most_seconds']:.2f}")
        count("S4", memory_grown=f"{report['grown_mebibytes']} MiB")
    assert report["cases"] >= _LEAST[target]
    # What no check foresaw and the last net had to catch.
    assert not any("malformed" in ending for ending in outcomes)
