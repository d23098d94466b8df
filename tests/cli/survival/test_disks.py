"""A disk that fails is said in one line, and the transfer goes on once it is mended."""

import ctypes
import errno
import os
import random
import resource
import shutil
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from rltransfer.errors import StorageError
from tests.effort import SCALE, SEED, paired
from tests.worlds.fault_injection import Fault, refuse, remove

from .conftest import Ended, can_go_on, left, run_in
from .test_kills import POINTS

pytestmark = pytest.mark.torture

CODES = {
    errno.ENOSPC: "no space left on the disk",
    errno.EIO: "the disk failed",
    errno.EROFS: "not allowed here",
    errno.EACCES: "not allowed here",
    errno.ENOENT: "file or folder is gone",
}
LATE = 0.7
"""Share of the events after which there is much to lose."""


def require_said(ended: Ended, reason: str, told: str = "") -> None:
    assert ended.status == StorageError.exit_status, f"{told}: {ended.text}"
    assert reason in ended.error, told
    # A rule, a value and a remedy.
    assert ";" in ended.error, told


@pytest.mark.parametrize(("point", "code"), paired(POINTS, list(CODES)))
def test_a_disk_fault_is_said_and_the_transfer_goes_on(
    transfers: Any, count: Any, tmp_path: Path, point: str, code: int
) -> None:
    rng = random.Random(f"{SEED} {point} {code}")
    happens = transfers.events("refused")[point]
    for repeat in range(SCALE):
        at = rng.randint(1, happens)
        told = f"seed {SEED}, {point} {at} of {happens}"
        folder = tmp_path / str(repeat)
        # Half of the faults last, the others pass: so do the disk's.
        fault = Fault(point, at, refuse(code), lasting=bool(at % 2))
        ended = transfers.begin("refused", folder, fault)
        run = run_in(folder)
        require_said(ended, CODES[code], told)
        if can_go_on(folder):
            assert f"rltransfer transfer --resume {run}" in ended.error, told
            ended = transfers.resume(run)
            assert ended.status == 0, f"{told}: {ended.text}"
            assert left(run) == transfers.whole("refused"), told
        else:
            assert at == 1, told
        count("R6", transfer_faults=1)


# The second one holds the request, and little more.
@pytest.mark.parametrize("size", [400, 7_000, 14_000])
def test_a_disk_that_fills_up_is_said_and_the_transfer_goes_on(
    transfers: Any, count: Any, tmp_path: Path, size: int
) -> None:
    words = transfers.words("refused", tmp_path)
    require_said(transfers.call(words, before=partial(_limit, size)), "no space left")
    if size > 400:
        ended = transfers.resume(run_in(tmp_path))
        assert ended.status == 0, ended.text
        assert left(run_in(tmp_path)) == transfers.whole("refused")
    count("R6", transfer_faults=1)


@pytest.mark.parametrize("kind", ["step", "update"])
def test_a_run_whose_folder_becomes_read_only_goes_on_later(
    transfers: Any, count: Any, tmp_path: Path, kind: str
) -> None:
    at = int(LATE * transfers.events("refused")[kind])
    words = transfers.words("refused", tmp_path)
    # Root may write anywhere unless it gives that up.
    fault = Fault(kind, at, partial(_permit, tmp_path, 0o555))
    ended = transfers.call(words, fault, before=_give_up_privileges)
    run = run_in(tmp_path)
    require_said(ended, "not allowed here (Permission denied)")
    require_said(transfers.resume(run, before=_give_up_privileges), "not allowed here")
    _permit(tmp_path, 0o755)
    ended = transfers.resume(run)
    assert ended.status == 0, ended.text
    assert left(run) == transfers.whole("refused")
    count("R6", transfer_faults=2)


def test_a_log_folder_that_is_read_only_is_said_at_the_start(
    transfers: Any, count: Any, tmp_path: Path
) -> None:
    words = transfers.words("refused", tmp_path)
    tmp_path.chmod(0o555)
    ended = transfers.call(words, before=_give_up_privileges)
    require_said(ended, "--log-folder must be writable")
    assert list(tmp_path.iterdir()) == []
    count("R6", transfer_faults=1)


@pytest.mark.parametrize(
    ("kind", "share"), [("step", 0.3), ("update", 0.7), ("events:write", 1.0)]
)
def test_a_run_folder_that_is_deleted_is_said(
    transfers: Any, count: Any, tmp_path: Path, kind: str, share: float
) -> None:
    at = max(1, int(share * transfers.events("refused")[kind]))
    fault = Fault(kind, at, remove(tmp_path / "transfer"))
    ended = transfers.begin("refused", tmp_path, fault)
    require_said(ended, "file or folder is gone")
    count("R6", transfer_faults=1)


@pytest.mark.parametrize("part", [".resume", "tensorboard"])
def test_a_folder_within_a_run_that_is_deleted_is_said(
    transfers: Any, count: Any, tmp_path: Path, part: str
) -> None:
    place: Callable[[], object] = partial(_remove_in, tmp_path, part)
    at = int(LATE * transfers.events("refused")["step"])
    ended = transfers.begin("refused", tmp_path, Fault("step", at, place))
    if part == "tensorboard":
        # What is open goes on; only its name is gone.
        assert ended.status in (0, StorageError.exit_status), ended.text
    else:
        require_said(ended, "file or folder is gone")
    count("R6", transfer_faults=1)


def _limit(size: int) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


def _permit(folder: Path, mode: int) -> None:
    for path in (folder, *folder.rglob("*")):
        if path.is_dir():
            path.chmod(mode)
        elif mode == 0o555:
            path.chmod(0o444)
        else:
            path.chmod(0o644)


def _remove_in(folder: Path, part: str) -> None:
    (place,) = folder.glob(f"transfer/*/{part}")
    shutil.rmtree(place)


def _give_up_privileges() -> None:
    if os.geteuid() != 0 or sys.platform != "linux":
        return
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    nothing = (ctypes.c_uint32 * 6)()
    if ctypes.CDLL(None, use_errno=True).capset(header, nothing):
        raise OSError(ctypes.get_errno(), "privileges cannot be given up")
