"""SIGINT and SIGTERM: counted at once, and raised where stopping loses nothing."""

import atexit
import math
import re
import shlex
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, final

from rltransfer.errors import EnvironmentFault, Stopped, StorageError

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_CLEANING_SECONDS = 2.0
"""After a stop: a second signal within them means the same stop."""


@final
class StopSignal(KeyboardInterrupt):
    """Raised where a signal arrived that may stop what is under way."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


@final
class StopSignals:
    """Counts SIGINT and SIGTERM in a block, instead of letting them interrupt it.

    Args:
        patience: signals that are only counted; the next one is raised at once, since
            an environment may hang.
        interruptible: whether what is under way may be interrupted by the first one.
        handled: whether signals are handled at all.
    """

    def __init__(
        self,
        patience: int,
        interruptible: Callable[[], bool] = lambda: False,
        handled: bool = True,
    ) -> None:
        self._patience, self._interruptible = patience, interruptible
        # Python gives signals to the main thread alone, which has to handle them.
        main = threading.current_thread() is threading.main_thread()
        self._handled = handled and main
        self._before: dict[int, Any] = {}
        self._numbers: list[int] = []
        self._raised_at = -math.inf

    @property
    def count(self) -> int:
        """How often the process was asked to stop."""
        return len(self._numbers)

    @property
    def asked(self) -> bool:
        """Whether to stop as soon as everything is saved."""
        return self.count > 0

    @property
    def urgent(self) -> bool:
        """Whether to stop at once, with what was saved last."""
        return self.count > 1

    def check(self) -> None:
        """Stops here if a signal asked for it."""
        if self.asked:
            self._raise()

    def __enter__(self) -> "StopSignals":
        """Begins to count."""
        if self._handled:
            self._before = {n: signal.signal(n, self._handle) for n in _SIGNALS}
        return self

    def __exit__(self, *fault: object) -> None:
        """Gives the signals back, after a stop only when it has been cleaned up."""
        for number, handler in self._before.items():
            # Whoever stopped in the block may have set a handler that must stay.
            if signal.getsignal(number) == self._handle:
                later = _ignored_at_first(handler) if self.asked else handler
                signal.signal(number, later)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        del frame
        self._numbers.append(number)
        # A second signal right after the first must not interrupt the cleaning up.
        cleaning_up = time.monotonic() < self._raised_at + _CLEANING_SECONDS
        impatient = self.count > self._patience or self._interruptible()
        if impatient and not cleaning_up:
            self._raise()

    def _raise(self) -> None:
        self._raised_at = time.monotonic()
        raise StopSignal(self._numbers[0])


def _ignored_at_first(handler: Any) -> Callable[[int, FrameType | None], None]:
    """Returns a handler that leaves signals to `handler` after a while.

    A second Ctrl-C while the process ends would hide how to go on, or the exit status.
    """
    atexit.register(_ignore)
    until = time.monotonic() + _CLEANING_SECONDS

    def handle(number: int, frame: FrameType | None) -> None:
        del frame
        if time.monotonic() > until:
            signal.signal(number, handler)
            signal.raise_signal(number)

    return handle


def _ignore() -> None:
    # Python takes its own handlers away at its end, which takes a while.
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)


_MODULE_ID = re.compile(r"[\w.]+:(?:[\w.-]+/)?[\w.-]+-v\d+")


def resume_command(verb: str, folder: Path, environments: Iterable[object]) -> str:
    """Returns the command by which an interrupted run goes on.

    Args:
        verb: that the run is of.
        folder: of the run.
        environments: ids and arguments of its environments. An id that imports a
            module has to be typed again, as no file may import anything.
    """
    words = ["rltransfer", verb, "--resume", str(folder)]
    for env_id in dict.fromkeys(_module_ids(environments)):
        words += ["--env", env_id]
    return shlex.join(words)


def _module_ids(value: object) -> Iterator[str]:
    if isinstance(value, str) and _MODULE_ID.fullmatch(value):
        yield value
    elif isinstance(value, Iterable) and not isinstance(value, str):
        for part in value.values() if isinstance(value, Mapping) else value:
            yield from _module_ids(part)


@contextmanager
def resumable(
    command: Callable[[], str | None], handled: bool = True
) -> Iterator[None]:
    """Adds to what ends a run before its end how to go on with it.

    Args:
        command: returns it, or None while there is nothing to go on from.
        handled: whether the run handles signals, so that a stop is an error of ours.

    Raises:
        Stopped: in the place of a signal that stopped the run.
    """
    try:
        yield
    except (EnvironmentFault, StorageError, Stopped) as fault:
        way_on = command()
        if way_on is None:
            raise
        then = "" if isinstance(fault, Stopped) else "then "
        raise type(fault)(f"{fault}; {then}go on with {way_on}") from fault
    except KeyboardInterrupt as stop:
        way_on = command()
        if way_on is None:
            raise
        if not handled:
            stop.add_note(f"go on with {way_on}")
            raise
        raise Stopped(f"stopped before the end; go on with {way_on}") from None
