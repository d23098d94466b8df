"""Being asked to stop: noted at once, obeyed where nothing is lost."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import final

from rltransfer.runs.stopping import ASKING, deaf

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
