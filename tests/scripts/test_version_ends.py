"""Both ends of the supported versions are what they say, and tests are counted."""

import re
import sys
from pathlib import Path

import pytest

import version_ends

ROOT = Path(__file__).parents[2]


def test_torch_is_the_same_at_both_ends_and_the_oldest_is_our_lower_bound() -> None:
    pinned = (ROOT / "constraints.txt").read_text()
    oldest, newest = (
        version_ends.constraints_of(end, pinned).split() for end in version_ends.ENDS
    )
    (torch,) = newest
    assert torch in pinned.splitlines() and torch in oldest
    bounds = (ROOT / "pyproject.toml").read_text()
    for name in ("stable-baselines3", "sb3-contrib", "gymnasium"):
        (bound,) = re.findall(rf'"{name}>=([\d.]+)"', bounds)
        assert f"{name}=={bound}.*" in oldest
    with pytest.raises(ValueError, match="holds torch once, got"):
        version_ends.constraints_of("oldest", "numpy==2\n")


def test_every_test_that_is_named_is_there() -> None:
    assert [path for path in version_ends.TESTS if not (ROOT / path).exists()] == []


def test_outcomes_are_counted(tmp_path: Path) -> None:
    tests = tmp_path / "test_outcomes.py"
    tests.write_text(
        "import pytest\n"
        "def test_good(): pass\n"
        "def test_bad(): assert False\n"
        "def test_none(absent): pass\n"
        "@pytest.mark.skip\n"
        "def test_left_out(): pass\n"
    )
    python = Path(sys.executable)
    found = version_ends.counted(python, [str(tests)], 0, tmp_path)
    assert found == [4, 1, 1, 1]
    assert version_ends.counted(python, ["--no-such-option"], 0, tmp_path) == [
        *(0, 0, 1, 0)
    ]


def test_versions_are_told() -> None:
    told = version_ends.versions(Path(sys.executable))
    assert re.search(r"gymnasium \d+\.\d+", told) and "torch " in told
