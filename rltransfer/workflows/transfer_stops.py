"""Ctrl-C and SIGTERM in a transfer: obeyed where nothing that was acted is lost."""

import math
import shlex
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import final

from rltransfer.errors import EnvironmentFault, Stopped, StorageError
from rltransfer.io import MANIFEST_NAME
from rltransfer.resume.replay_log import ReplayLog, is_replay_log
from rltransfer.resume.stop_signals import ASKING, DEAF_SECONDS, deaf
from rltransfer.workflows.transfer_request import replay_log_folder


@final
class StopSignals:
    """Stops at once while fitting, and after the stretch while acting.

    Whoever asks twice is obeyed at once: an environment may hang.

    Args:
        folder: of the run.
    """

    def __init__(self, folder: Path) -> None:
        self._folder, self._count = folder, 0
        self._obeyed = -math.inf
        self._journal: ReplayLog | None = None

    def spare(self, replay_log: ReplayLog) -> None:
        """Lets a stretch that is under way in `journal` come to its end."""
        self._journal = replay_log

    def obey(self) -> None:
        """Stops here if that was asked for."""
        if self._count:
            self._obeyed = time.monotonic()
            raise KeyboardInterrupt

    @contextmanager
    def heard(self) -> Iterator[None]:
        """Turns what ends a run before its end into one line that says how to go on."""
        try:
            with self._noted():
                yield
        except KeyboardInterrupt:
            if not self._can_go_on:
                raise
            told = f"stopped before the end; go on with {self._command}"
            raise Stopped(told) from None
        except EnvironmentFault as fault:
            if not self._can_go_on:
                raise
            told = f"{fault}; then go on with {self._command}"
            raise EnvironmentFault(told) from fault
        except StorageError as fault:
            if not self._can_go_on:
                raise
            raise StorageError(f"{fault}: {self._command}") from fault

    @contextmanager
    def _noted(self) -> Iterator[None]:
        if threading.current_thread() is not threading.main_thread():
            # Python hands signals to the main thread alone; it has to see to them.
            yield
            return

        def note(number: int, frame: FrameType | None) -> None:
            del number, frame
            self._count += 1
            acting = self._journal is not None and self._journal.acting
            # A second one in the wake of the first would strike what tidies up.
            in_its_wake = time.monotonic() < self._obeyed + DEAF_SECONDS
            if not in_its_wake and (self._count > 1 or not acting):
                self._obeyed = time.monotonic()
                raise KeyboardInterrupt

        before = {number: signal.signal(number, note) for number in ASKING}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, deaf(handler) if self._count else handler)

    @property
    def _can_go_on(self) -> bool:
        """Whether there is something to go on from, if only to say that it is done."""
        finished = (self._folder / MANIFEST_NAME).is_file()
        return finished or is_replay_log(replay_log_folder(self._folder))

    @property
    def _command(self) -> str:
        return f"rltransfer transfer --resume {shlex.quote(str(self._folder))}"
