"""SIGINT and SIGTERM: noted at once, obeyed where nothing is lost."""

import atexit
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, final

ASKING = (signal.SIGINT, signal.SIGTERM)
DEAF_SECONDS = 2.0
"""After a stop that was obeyed: whoever asks twice in a row means one stop."""


def deaf(handler: Any) -> Callable[[int, FrameType | None], None]:
    """Returns a handler that hands signals on to `handler` after a while.

    A second Ctrl-C that comes while the process ends would hide how to go on, or the
    exit status.
    """
    atexit.register(_ignore)
    until = time.monotonic() + DEAF_SECONDS

    def hand_on(number: int, frame: FrameType | None) -> None:
        del frame
        if time.monotonic() > until:
            signal.signal(number, handler)
            signal.raise_signal(number)

    return hand_on


def _ignore() -> None:
    # Python takes its own handlers away at its end, which takes a while.
    for number in ASKING:
        signal.signal(number, signal.SIG_IGN)


_PATIENCE = 2


@final
class StopRequests:
    """Counts how often the process was asked to stop."""

    def __init__(self) -> None:
        self._count = 0

    @property
    def count(self) -> int:
        """How often."""
        return self._count

    @property
    def asked(self) -> bool:
        """Whether to stop at the next boundary, with everything saved."""
        return self._count > 0

    @property
    def urgent(self) -> bool:
        """Whether to stop at once, with what was saved last."""
        return self._count > 1

    def add(self) -> None:
        """Asks once more."""
        self._count += 1


@contextmanager
def stop_requests() -> Iterator[StopRequests]:
    """Notes SIGINT and SIGTERM in the block instead of letting them strike."""
    requests = StopRequests()
    if threading.current_thread() is not threading.main_thread():
        # Python hands signals to the main thread alone; it has to see to them.
        yield requests
        return

    def note(number: int, frame: FrameType | None) -> None:
        del number, frame
        requests.add()
        if requests.count > _PATIENCE:
            # Something hangs, and no boundary will come.
            raise KeyboardInterrupt

    before = {number: signal.signal(number, note) for number in ASKING}
    try:
        yield requests
    finally:
        for number, handler in before.items():
            signal.signal(number, deaf(handler) if requests.asked else handler)
