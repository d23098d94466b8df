"""Ctrl-C and SIGTERM in a transfer: obeyed where nothing that was acted is lost."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import final

from rltransfer.domain import Journal
from rltransfer.errors import EnvironmentFault, Stopped

_ASKING = (signal.SIGINT, signal.SIGTERM)


@final
class StopSignals:
    """Stops at once while fitting, and after the stretch while acting.

    Whoever asks twice is obeyed at once: an environment may hang.
    """

    def __init__(self) -> None:
        self._count = 0

    def obey(self) -> None:
        """Stops here if that was asked for."""
        if self._count:
            raise KeyboardInterrupt

    @contextmanager
    def heard(self, journal: Journal, folder: Path) -> Iterator[None]:
        """Turns what ends a run before its end into one line that says how to go on."""
        try:
            with self._noted(journal):
                yield
        except KeyboardInterrupt:
            raise Stopped(f"stopped before the end; {_remedy(folder)}") from None
        except EnvironmentFault as fault:
            raise EnvironmentFault(f"{fault}; then {_remedy(folder)}") from fault

    @contextmanager
    def _noted(self, journal: Journal) -> Iterator[None]:
        if threading.current_thread() is not threading.main_thread():
            # Python hands signals to the main thread alone; it has to see to them.
            yield
            return

        def note(number: int, frame: FrameType | None) -> None:
            del number, frame
            self._count += 1
            if self._count > 1 or not journal.acting:
                raise KeyboardInterrupt

        before = {number: signal.signal(number, note) for number in _ASKING}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def _remedy(folder: Path) -> str:
    return f"go on with rltransfer transfer --resume {folder}"
