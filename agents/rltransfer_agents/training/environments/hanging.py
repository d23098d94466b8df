"""An alarm for environments that do not come back."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Self, final

from rltransfer_agents.training.environments.seat import Seat


@final
class HangAlarm:
    """Raises in a step that lasts too long, where Python still runs.

    What hangs in compiled code ends with its process only; `Apart` is for that.

    Args:
        seconds: longest time of one step, or of one reset.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._watched: Seat | None = None

    @contextmanager
    def installed(self) -> Iterator[Self]:
        """Listens to the system's alarm clock in the block."""
        before = signal.signal(signal.SIGALRM, self._ring)
        try:
            yield self
        finally:
            self.clear()
            signal.signal(signal.SIGALRM, before)

    def watch(self, seat: Seat) -> None:
        """Winds the clock anew for `seat`."""
        self._watched = seat
        signal.setitimer(signal.ITIMER_REAL, self._seconds)

    def clear(self) -> None:
        """Stops the clock."""
        signal.setitimer(signal.ITIMER_REAL, 0)

    def _ring(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        if self._watched is not None:
            raise self._watched.hung(self._seconds)
