"""What Python reports while something is on watch: imports, calls, writes.

An audit hook cannot be taken off again, so whoever watches is a process of its own.
"""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

MARK = "struck"
_FORBIDDEN = ("import", "exec", "compile", "pickle.find_class", "marshal.", "ctypes.")
_FORBIDDEN += ("socket.", "subprocess.", "os.system", "os.exec", "os.fork", "os.spawn")
_FORBIDDEN += ("os.posix_spawn", "os.symlink", "os.putenv", "os.kill")
_FORBIDDEN += ("urllib.", "webbrowser.", "ftplib.", "smtplib.", "tempfile.")
_FORBIDDEN += ("code.__new__", "function.__new__", "sys.settrace", "builtins.input")
# These write where their arguments say, of which so many are paths.
_WRITING = {"os.remove": 1, "os.rename": 2, "os.mkdir": 1, "os.rmdir": 1}
_WRITING |= {"os.chmod": 1, "os.link": 2, "os.truncate": 1, "shutil.rmtree": 1}
_WRITING |= {"shutil.copyfile": 2, "shutil.move": 2, "shutil.copytree": 2}


class Strike:
    """Leaves a mark when it is unpickled."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __reduce__(self) -> Any:
        return os.system, (f"touch {self._folder / MARK}",)


class Watch:
    """Notes forbidden events while it is on."""

    def __init__(self) -> None:
        self.events: list[str] = []
        self._on = False
        self._allowed: Path | None = None
        sys.addaudithook(self._note)

    def over(self, work: Callable[[], Any], allowed: Path | None = None) -> Any:
        """Returns what `work` returns, and notes what it does.

        Args:
            work: is called.
            allowed: a folder below which it may write.
        """
        self._allowed, self._on = allowed and allowed.resolve(), True
        try:
            return work()
        finally:
            self._on = False

    def taken(self) -> list[str]:
        """Returns what was noted since the last time."""
        events, self.events = self.events, []
        return events

    def _note(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self._on:
            return
        if event == "open":
            path, mode, flags = arguments
            writes = isinstance(mode, str) and any(c in mode for c in "wax+")
            if writes or (isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR)):
                self._judge(f"open {path!r} for writing", [path], None)
        elif event in _WRITING:
            paths = list(arguments[: _WRITING[event]])
            place = arguments[-1] if isinstance(arguments[-1], int) else None
            self._judge(f"{event} {paths!r:.80}", paths, place)
        elif event == "import" and arguments[0] == "gym" and _by("stable_baselines3"):
            pass  # which looks for it again and again, in vain
        elif event == "os.putenv" and arguments[0] == b"PYDANTIC_DISABLE_PLUGINS":
            pass  # by the command line itself, always to the same value
        elif event == "compile" and arguments[1] == "<unknown>":
            pass  # a literal is parsed; to run it would be an `exec`
        elif event.startswith(_FORBIDDEN):
            self.events.append(f"{event} {str(arguments)[:80]}")

    def _judge(self, told: str, paths: list[Any], place: int | None) -> None:
        for path in paths:
            if isinstance(path, int):
                continue  # opened before, and judged then
            if self._allowed is None or not self._is_allowed(os.fsdecode(path), place):
                self.events.append(told)

    def _is_allowed(self, path: str, place: int | None) -> bool:
        assert self._allowed is not None
        start = os.readlink(f"/proc/self/fd/{place}") if place and place > 0 else "."
        # Through every link on the way: where a write would really go.
        real = Path(os.path.realpath(os.path.join(start, path)))
        return path == os.devnull or real.is_relative_to(self._allowed)


def _by(package: str) -> bool:
    """Tells whether a page of a package did what was just reported."""
    page = Path(sys._getframe(2).f_code.co_filename)
    return package in page.parts
