"""What can go wrong for a user, and the exit status each fault ends with.

Every message says the rule, the value that broke it, and the remedy, in one line.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar


class UserError(Exception):
    """A fault the user can fix; the command line prints it as one line."""

    exit_status: ClassVar[int] = 2


class InputError(UserError, ValueError):
    """Wrong usage or bad input."""


class LockedError(UserError):
    """Another run owns the folder."""

    exit_status: ClassVar[int] = 73


class StorageError(UserError, OSError):
    """The disk refused: full, read-only or gone."""

    exit_status: ClassVar[int] = 74


class Stopped(UserError):
    """The run was asked to stop and can be resumed."""

    exit_status: ClassVar[int] = 75


class ArtifactRefused(UserError, ValueError):
    """A file is damaged, foreign, unsafe, or does not fit."""

    exit_status: ClassVar[int] = 76


class EnvironmentFault(UserError, RuntimeError):
    """An environment broke its contract: names environment, step and field."""

    exit_status: ClassVar[int] = 77


def portable(fault: UserError, message: str | None = None) -> UserError:
    """Returns an error that another process can take in: a kind and a message.

    Args:
        fault: of any kind, which may hold more or be made otherwise.
        message: instead of its own.
    """
    kinds = (kind for kind in type(fault).__mro__ if kind.__module__ == __name__)
    kind: type[UserError] = next(kinds)
    return kind(str(fault) if message is None else message)


UNFORESEEN_STATUS = 70
"""Of what is no `UserError`: a fault of ours."""
_FOLDER = "run_folder"


@contextmanager
def faults_in(folder: Path) -> Iterator[None]:
    """Remembers with an exception that it left the run in `folder`."""
    try:
        yield
    except Exception as fault:
        set_run_folder(fault, folder)
        raise


def set_run_folder(fault: BaseException, folder: Path | None) -> None:
    """Keeps with an exception the folder of the run that it left; the first stays."""
    vars(fault).setdefault(_FOLDER, folder)


def run_folder_of(fault: BaseException) -> Path | None:
    """Returns the folder of the run that an exception left, if it left one."""
    folder = vars(fault).get(_FOLDER)
    return folder if isinstance(folder, Path) else None
