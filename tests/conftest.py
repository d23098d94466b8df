"""Checked shapes, one thread for all tests, and the counts that targets print."""

import os
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import pytest
import torch
from jaxtyping import install_import_hook
from threadpoolctl import threadpool_limits

from tests.effort import SCALE, SEED

Count: TypeAlias = Callable[..., None]
"""`count("R1", kills=10)`: numbers are added up over all tests, texts are listed."""

_PROPERTY = "count"
_ROOT = Path(__file__).parent.parent

_LONGEST = (
    "test_shown_commands.py",
    "test_kills.py",
    "test_ray_pool.py",
    "test_improvement.py",
    "test_signals.py",
    "test_verbs.py",
    "test_benchmark.py",
)
"""Files that take minutes, the longest first."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begins with the longest files: at the end no process waits for another's."""
    places = {name: place for place, name in enumerate(_LONGEST)}
    items.sort(key=lambda item: places.get(item.path.name, len(places)))


def modules_with_shapes() -> list[str]:
    """Returns the modules whose annotations give the shapes of arrays."""
    found = []
    for folder in (_ROOT, _ROOT / "envs", _ROOT / "agents"):
        for package in folder.glob("rltransfer*"):
            for page in package.rglob("*.py"):
                if "from jaxtyping import" in page.read_text():
                    found.append(".".join(page.relative_to(folder).parts)[:-3])
    return sorted(found)


# One thread for all tests and the processes that they start: the networks are small,
# and threads that wait for each other take ten times as long.
os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"
threadpool_limits(1)
torch.set_num_threads(1)

# Before any of them is imported. Types of the others are for mypy: to check them at
# each call, each step of an environment among them, took as long as the tests.
install_import_hook(modules_with_shapes(), "beartype.beartype")


@pytest.fixture(autouse=True, scope="session")
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    # Nothing is found that another session kept. Processes inherit it.
    os.environ["XDG_CACHE_HOME"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture
def count(record_property: Callable[[str, object], None]) -> Count:
    """Counts towards a target; the sums are printed when all tests are done."""

    def add(target: str, **counts: int | str) -> None:
        record_property(_PROPERTY, [target, counts])

    return add


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Prints what was counted; the reports of other processes bring theirs along."""
    counted: dict[str, dict[str, Any]] = defaultdict(dict)
    for report in terminalreporter.getreports("passed"):
        for name, (target, counts) in _counts(report):
            assert name == _PROPERTY
            for what, number in counts.items():
                _add(counted[target], what, number)
    if not counted:
        return
    terminalreporter.section(f"targets, scale {SCALE}, seed {SEED}")
    for target, sums in sorted(counted.items()):
        told = ", ".join(
            f"{number:,} {what.replace('_', ' ')}"
            if isinstance(number, int)
            else f"{what.replace('_', ' ')}: {'; '.join(number)}"
            for what, number in sums.items()
        )
        terminalreporter.write_line(f"{target:4s}{told}")


def _counts(report: Any) -> list[Any]:
    return [entry for entry in report.user_properties if entry[0] == _PROPERTY]


def _add(sums: dict[str, Any], what: str, number: int | str) -> None:
    if isinstance(number, int):
        sums[what] = sums.get(what, 0) + number
    elif number not in sums.setdefault(what, []):
        sums[what].append(number)
