"""What can go wrong for a user, and the exit status each fault ends with.

Every message says the rule, the value that broke it, and the remedy, in one line.
"""

from typing import ClassVar


class UserError(Exception):
    """A fault the user can mend; the command line prints it as one line."""

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
