"""What the disk refuses, said in one line."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rltransfer.errors import StorageError

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_FORBIDDEN = {errno.EROFS, errno.EACCES, errno.EPERM}
_GONE = {errno.ENOENT, errno.ESTALE}
_TAKEN = {errno.EEXIST, errno.ENOTDIR, errno.EISDIR}


@contextmanager
def storage_faults(path: Path) -> Iterator[None]:
    """Turns what the disk refuses for `path` into a `StorageError` of one line."""
    try:
        yield
    except StorageError:
        raise
    except OSError as fault:
        raise StorageError(_refusal(path, fault)) from fault


def _refusal(path: Path, fault: OSError) -> str:
    reason = fault.strerror or str(fault) or type(fault).__name__
    # Each ends in resuming: a run that can go on adds by which command.
    if fault.errno in _FULL:
        return f"{path}: no space left on the disk ({reason}); free some, then resume"
    if fault.errno in _FORBIDDEN:
        return (
            f"{path}: not allowed here ({reason}); choose another --log-folder, or "
            "make it writable and resume"
        )
    if fault.errno in _GONE:
        return (
            f"{path}: file or folder is gone ({reason}); start anew, or restore it "
            "and resume"
        )
    if fault.errno in _TAKEN:
        return (
            f"{path}: a file stands where a folder should be, or the reverse "
            f"({reason}); choose another --log-folder, or move it away and resume"
        )
    return f"{path}: the disk failed ({reason}); check it, then resume"
