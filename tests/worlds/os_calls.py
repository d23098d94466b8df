"""The calls of the operating system that write files, counted and made to fail.

Each has a name: what is written, a colon, and where in writing it. A `draft` becomes a
file when it is whole, `rows` and `events` grow, `previous` is a second name of a file.
"""

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

DRAFT = (
    "draft:open",
    "draft:half a write",
    "draft:sync",
    "draft:replace",
    "draft:sync folder",
    "draft:done",
)
"""A file that replaces another one."""
ROWS = ("rows:open", "rows:half a write", "rows:sync", "rows:done")
"""A file that grows, of which each part must be on the disk."""
PREVIOUS = ("previous:link", "previous:linked", "previous:replace", "previous:replaced")
"""A snapshot that gets a second name."""
EVENTS = ("events:write", "events:half a write", "events:written")
"""A file of TensorBoard's, written without waiting for the disk."""

_KINDS = {
    "previous": re.compile(r"\.state\.previous\.tmp"),
    "draft": re.compile(r"\..*\.tmp"),
    "rows": re.compile(r"rows-\d+\.bin"),
    "events": re.compile(r"events\.out\..*"),
}
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT


@contextmanager
def counted_os_calls(happens: Callable[[str], object]) -> Iterator[None]:
    """Calls `happens` at each named point; it may raise, or end the process."""
    calls = _OsCalls(happens)
    with (
        mock.patch.object(os, "open", calls.open),
        mock.patch.object(os, "write", calls.write),
        mock.patch.object(os, "close", calls.close),
        mock.patch.object(os, "fsync", calls.fsync),
        mock.patch.object(os, "replace", calls.replace),
        mock.patch.object(os, "link", calls.link),
    ):
        yield


class _OsCalls:
    """Knows what each open file is by its name."""

    def __init__(self, happens: Callable[[str], object]) -> None:
        self._happens = happens
        self._files: dict[int, str] = {}
        self._folders: dict[int, str] = {}
        # By folder: what was written there last, as its sync ends the writing.
        self._last: dict[str, str] = {}
        self._open, self._write, self._close = os.open, os.write, os.close
        self._fsync, self._replace, self._link = os.fsync, os.replace, os.link

    def open(self, path: Any, flags: int, *more: Any, **options: Any) -> int:
        kind = _kind(path) if flags & _WRITING else None
        if kind in ("draft", "rows"):
            self._happens(f"{kind}:open")
        handle = self._open(path, flags, *more, **options)
        if kind is not None:
            self._files[handle] = kind
            self._last[os.path.dirname(path)] = kind
        elif not options and os.fspath(path) in self._last:
            self._folders[handle] = self._last[os.fspath(path)]
        return handle

    def write(self, handle: int, data: Any) -> int:
        kind = self._files.get(handle)
        if kind is None:
            return self._write(handle, data)
        if kind == "events":
            self._happens("events:write")
        half = len(data) // 2
        written = self._write(handle, data[:half])
        if written < half:
            return written  # the disk is full, and says so at the next write
        self._happens(f"{kind}:half a write")
        written += self._write(handle, data[half:])
        if kind == "events":
            self._happens("events:written")
        return written

    def close(self, handle: int) -> None:
        self._files.pop(handle, None)
        self._folders.pop(handle, None)
        self._close(handle)

    def fsync(self, handle: int) -> None:
        kind = self._files.get(handle)
        if kind is not None:
            self._happens(f"{kind}:sync")
        folder = self._folders.get(handle)
        if folder == "draft":
            self._happens("draft:sync folder")
        self._fsync(handle)
        if folder in ("draft", "rows"):
            self._happens(f"{folder}:done")

    def replace(self, source: Any, target: Any, **options: Any) -> None:
        kind = _kind(source)
        if kind is not None:
            self._happens(f"{kind}:replace")
        self._replace(source, target, **options)
        if kind == "previous":
            self._happens("previous:replaced")

    def link(self, source: Any, target: Any, **options: Any) -> None:
        if _kind(target) == "previous":
            self._happens("previous:link")
        self._link(source, target, **options)
        if _kind(target) == "previous":
            self._happens("previous:linked")


def _kind(path: Any) -> str | None:
    if isinstance(path, int | bytes):
        return None
    name = os.path.basename(os.fspath(path))
    found = (kind for kind, pattern in _KINDS.items() if pattern.fullmatch(name))
    return next(found, None)
