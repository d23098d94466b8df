"""The security targets S1 to S5, in the size of CI; counts are printed.

Children, since an audit hook stays for good and memory is measured for a process. The
full size: `python tests/agents/reading/torture --scale 20 --seed N`.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

_TORTURE = Path(__file__).parent / "torture"
_LEAST = {"S2": 40_000, "S3": 10_000, "S4": 6_000, "S5": 80}


def printed(*arguments: str) -> list[Any]:
    child = subprocess.run(
        [sys.executable, "-W", "ignore", *arguments], capture_output=True, text=True
    )
    assert child.returncode == 0, child.stderr[-2000:]
    return [json.loads(line) for line in child.stdout.splitlines()]


def test_no_malicious_file_runs_anything(capsys: pytest.CaptureFixture[str]) -> None:
    (report,) = printed(str(_TORTURE / "malicious.py"))
    with capsys.disabled():
        print(
            f"\nS1: {report['vectors']} vectors, {report['opens']} openings, ", end=""
        )
        print(f"{len(report['events'])} forbidden events, {report['endings']}")
    assert report["events"] == []
    assert report["vectors"] >= 23
    assert {"pickle.find_class", "os.system"} <= set(report["stock"])
    assert report["stock struck"]


@pytest.mark.parametrize("target", sorted(_LEAST))
def test_damaged_files_are_told(
    target: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (report,) = printed(str(_TORTURE), "--parts", target, "--seed", "0")
    with capsys.disabled():
        print(f"\n{target}: {report['cases']} cases, seed {report['seed']}, ", end="")
        print(f"{report['seconds']} s, {report['outcomes']}")
    assert report["cases"] >= _LEAST[target]
    # What no check foresaw and the last net had to catch.
    assert not any("malformed" in ending for ending in report["outcomes"])
