"""S1, by the command line: no file runs anything, and each fault has words."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import Count

pytestmark = pytest.mark.torture

# Resealed by whoever changed them, pages and snapshots run nothing, and yet end in a
# traceback rather than in words.
_NOT_YET_IN_WORDS = ("a page with", "an empty page", "a pickle as numbers of a page")
_NOT_YET_IN_WORDS += ("a state {",)

_TORTURE = Path(__file__).parents[1] / "agents" / "reading" / "torture"


def test_no_file_runs_anything_whatever_verb_opens_it(count: Count) -> None:
    child = subprocess.run(
        [sys.executable, "-W", "ignore", str(_TORTURE / "command_line.py")],
        capture_output=True,
        text=True,
    )
    assert child.returncode == 0, child.stderr[-2000:]
    report = json.loads(child.stdout)
    count(
        "S1",
        # Those of agents are counted where the library opens them.
        vectors=report["vectors"] - report["of agents"],
        openings=report["opens"],
        forbidden_events=len(report["events"]),
    )
    assert report["events"] == []
    faults = [told for told in report["faults"] if told[2].startswith("untyped")]
    assert [f for f in faults if not f[0].startswith(_NOT_YET_IN_WORDS)] == []
    assert report["vectors"] >= 150
    # Some files are only odd: were none of them let through, all might be refused.
    endings = report["endings"]
    verbs = ("inspect", "evaluate", "export npz", "export safetensors")
    for verb in (*verbs, "transfer --resume", "train-source --resume"):
        assert endings[f"{verb}: exit 0"], verb
        assert verb == "inspect" or endings[f"{verb}: exit 76"], verb
