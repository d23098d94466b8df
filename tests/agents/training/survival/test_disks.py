"""A disk that fails is said in one line, and what was whole before still loads."""

import errno
from pathlib import Path
from typing import Any

import pytest

from rltransfer.errors import StorageError
from tests.conftest import Count
from tests.effort import paired
from tests.worlds.os_calls import DRAFT, PREVIOUS, ROWS

pytestmark = pytest.mark.torture

POINTS = (*ROWS, *PREVIOUS, *DRAFT)
CODES = errno.ENOSPC, errno.EIO, errno.EROFS, errno.ENOENT


@pytest.mark.parametrize(("point", "code"), paired(POINTS, CODES))
def test_a_disk_fault_is_said_and_the_last_state_loads(
    fork_server: Any,
    uninterrupted: Any,
    tmp_path: Path,
    count: Count,
    point: str,
    code: int,
) -> None:
    count("R6", training_faults=1)
    ended = fork_server.train("dqn", tmp_path, point=point, nth=9, errno=code)
    assert ended.status == StorageError.exit_status, ended.text
    assert ended.text.startswith("StorageError: ") and ended.text.count("\n") == 1
    ended = fork_server.resume(fork_server.run_folder(tmp_path))
    assert ended.status == 0, ended.text
    assert fork_server.traces(tmp_path) == uninterrupted["dqn"]


@pytest.mark.parametrize("size", [2_000, 5_000, 12_000])
def test_a_disk_that_fills_up_is_said_and_the_last_state_loads(
    fork_server: Any, uninterrupted: Any, tmp_path: Path, count: Count, size: int
) -> None:
    count("R6", training_faults=1)
    ended = fork_server.train("dqn", tmp_path, file_size=size)
    assert ended.status == StorageError.exit_status, ended.text
    assert "no space left" in ended.text
    ended = fork_server.resume(fork_server.run_folder(tmp_path))
    assert ended.status == 0, ended.text
    assert fork_server.traces(tmp_path) == uninterrupted["dqn"]


def test_a_folder_that_is_deleted_is_said(
    fork_server: Any, tmp_path: Path, count: Count
) -> None:
    count("R6", training_faults=1)
    ended = fork_server.train("ppo", tmp_path / "runs", step=50, remove=True)
    assert ended.status == StorageError.exit_status, ended.text
    assert "is gone" in ended.text and ended.text.count("\n") == 1
