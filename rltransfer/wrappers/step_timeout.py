"""A time limit for each call of an environment."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Self, TypeVar, final

from rltransfer.argument_checks import STEP_SECONDS
from rltransfer.errors import EnvironmentFault, InputError

START_SECONDS = 60.0
"""What making an environment, with all that it imports, may take beside that."""
_TICKS = 4


Made = TypeVar("Made")


@final
class StepTimeout:
    """Raises in a call that lasts too long, as long as Python code is running there.

    A timer looks a few times within `seconds` which call is running, so that a call
    costs nothing but two assignments. A call that hangs in compiled code ends only
    with its process: `SubprocessEnv` is for that.

    Args:
        seconds: longest time of one call.
    """

    def __init__(self, seconds: float = STEP_SECONDS) -> None:
        if not 0 < seconds < float("inf"):
            raise InputError(
                f"--step-seconds is a time above 0, got {seconds}; give another"
            )
        self._seconds = seconds
        self.running: Callable[[float], EnvironmentFault] | None = None
        """Names the call that is running, when it has lasted for so many seconds."""
        self.calls = 0
        """Of so far, which distinguishes one from the next."""
        self._seen, self._ticks = 0, 0

    @contextmanager
    def active(self) -> Iterator[Self]:
        """Starts the timer for the block.

        Only in the main thread, where Python handles signals; elsewhere no call is
        ended.
        """
        if threading.current_thread() is not threading.main_thread():
            yield self
            return
        before = signal.signal(signal.SIGALRM, self._tick)
        every = self._seconds / _TICKS
        timer_before = signal.setitimer(signal.ITIMER_REAL, every, every)
        try:
            yield self
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
            signal.setitimer(signal.ITIMER_REAL, *timer_before)

    def _tick(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        if self.running is None or self._seen != self.calls:
            self._seen, self._ticks = self.calls, 0
            return
        self._ticks += 1
        if self._ticks >= _TICKS:
            raise self.running(self._seconds)


def make_in_time(
    make: Callable[[], Made],
    name: str,
    seconds: float,
    start_seconds: float = START_SECONDS,
) -> Made:
    """Returns what `make` returns, which may have to import a good deal for it.

    Args:
        make: called once.
        name: what the fault calls it.
        seconds: longest time of one step.
        start_seconds: what making may take beside that.

    Raises:
        EnvironmentFault: it takes longer.
    """

    def late(seconds: float) -> EnvironmentFault:
        return EnvironmentFault(
            f"{name}: making it has not come back for {seconds:g} s; allow more with "
            "--step-seconds, or find what it waits for"
        )

    with StepTimeout(seconds + start_seconds).active() as timeout:
        timeout.running = late
        try:
            return make()
        finally:
            timeout.running = None
