"""An alarm for environments that do not come back."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Protocol, Self, final

from rltransfer.errors import EnvironmentFault, InputError

STEP_SECONDS = 60.0
"""Longest time of one step or reset, unless asked otherwise."""
_LOOKS = 4


class Watched(Protocol):
    """What may hang."""

    calls: int
    """How often it was called; told from one call to the next by that."""

    def hung(self, seconds: float) -> EnvironmentFault:
        """Returns the fault of not having come back for so long."""
        ...


@final
class HangAlarm:
    """Raises in a call that lasts too long, where Python still runs.

    It looks up a few times in `seconds`, so that a call costs nothing but a note of who
    is called. What hangs in compiled code ends with its process only: environments in
    processes of their own are for that.

    Args:
        seconds: longest time of one call.
    """

    def __init__(self, seconds: float = STEP_SECONDS) -> None:
        if not 0 < seconds < float("inf"):
            raise InputError(
                f"--step-seconds is a time above 0, got {seconds}; give another"
            )
        self._seconds = seconds
        self.watched: Watched | None = None
        """Whose call is under way."""
        self._seen: tuple[Watched | None, int] = None, 0
        self._looks = 0

    @contextmanager
    def installed(self) -> Iterator[Self]:
        """Listens to the system's alarm clock in the block.

        Only in the main thread, which alone hears signals; elsewhere nothing rings.
        """
        if threading.current_thread() is not threading.main_thread():
            yield self
            return
        before = signal.signal(signal.SIGALRM, self._ring)
        signal.setitimer(
            signal.ITIMER_REAL, self._seconds / _LOOKS, self._seconds / _LOOKS
        )
        try:
            yield self
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)

    def _ring(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        watched = self.watched
        now = watched, 0 if watched is None else watched.calls
        if watched is None or now != self._seen:
            self._seen, self._looks = now, 0
            return
        self._looks += 1
        if self._looks >= _LOOKS:
            raise watched.hung(self._seconds)
