"""An alarm for environments that do not come back."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Protocol, Self, TypeVar, final

from rltransfer.errors import EnvironmentFault, InputError

STEP_SECONDS = 60.0
"""Longest time of one step or reset, unless asked otherwise."""
START_SECONDS = 60.0
"""What making an environment, with all that it imports, may take beside that."""
_LOOKS = 4


Made = TypeVar("Made")


class Watched(Protocol):
    """What may hang."""

    calls: int
    """How often it was called; told from one call to the next by that."""

    def hung(self, seconds: float) -> EnvironmentFault:
        """Returns the fault of not having come back for so long."""
        ...


@final
class StepTimeout:
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
    def minding(self, name: str) -> Iterator[None]:
        """Watches the block, which makes what is called `name`, as one call."""
        self.watched = _Named(name)
        try:
            yield
        finally:
            self.watched = None

    @contextmanager
    def installed(self) -> Iterator[Self]:
        """Listens to the system's alarm clock in the block.

        Only in the main thread, which alone hears signals; elsewhere nothing rings.
        """
        if threading.current_thread() is not threading.main_thread():
            yield self
            return
        before = signal.signal(signal.SIGALRM, self._ring)
        every = self._seconds / _LOOKS
        timer_before = signal.setitimer(signal.ITIMER_REAL, every, every)
        try:
            yield self
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
            signal.setitimer(signal.ITIMER_REAL, *timer_before)

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


def made_in_time(make: Callable[[], Made], name: str, seconds: float) -> Made:
    """Returns what `make` makes, which may import a good deal for it.

    Args:
        make: called once.
        name: what the fault calls it.
        seconds: longest time of one step; making has `START_SECONDS` more.

    Raises:
        EnvironmentFault: it has not come back.
    """
    with (
        StepTimeout(seconds + START_SECONDS).installed() as timeout,
        timeout.minding(name),
    ):
        return make()


@final
class _Named:
    """One call of something that has no border yet."""

    def __init__(self, name: str) -> None:
        self.calls = 1
        self._name = name

    def hung(self, seconds: float) -> EnvironmentFault:
        """Returns the fault of not having come back for so long."""
        return EnvironmentFault(
            f"{self._name}: making it has not come back for {seconds:g} s; mend the "
            "environment"
        )
