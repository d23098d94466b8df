"""Work side by side, each piece in a process of its own, so that each fails alone."""

import time
import traceback
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, Pipe, wait
from typing import Any, TypeAlias, final

from typing_extensions import override

from rltransfer.errors import Stopped, UserError
from rltransfer.resume.stop_signals import StopSignals
from rltransfer.wrappers.subprocess_env import start_process

Work: TypeAlias = Callable[[], Any]
"""Is pickled, as is what it returns."""
_LOOK_UP_SECONDS = 0.2
_GRACE_SECONDS = 5.0
"""Left to processes that were asked to end."""


@final
@dataclass(frozen=True)
class Outcome:
    """What came of a piece of work: a result, or why there is none."""

    place: int
    """In the list of all work."""
    result: Any = None
    fault: str | None = None
    """One line."""
    details: str = ""
    """A traceback, where nobody foresaw the fault."""


class Pool(ABC):
    """Where work is done, several pieces at a time."""

    @property
    @abstractmethod
    def at_once(self) -> int:
        """Most pieces that are done at the same time."""

    @abstractmethod
    def outcomes(
        self, work: Sequence[tuple[str, Work]], stop: StopSignals
    ) -> Iterator[Outcome]:
        """Yields the outcome of each piece of work as soon as it is there.

        Args:
            work: with the names that it bears while it is done.
            stop: says whether to stop; work under way is then ended.

        Raises:
            Stopped: `stop` was asked to.
        """


@final
@dataclass(frozen=True)
class ProcessPool(Pool):
    """Processes of this machine, a fresh one for each piece of work."""

    processes: int

    @property
    @override
    def at_once(self) -> int:
        return self.processes

    @override
    def outcomes(
        self, work: Sequence[tuple[str, Work]], stop: StopSignals
    ) -> Iterator[Outcome]:
        waiting = deque(enumerate(work))
        running: list[_Process] = []
        try:
            while waiting or running:
                if stop.asked:
                    raise Stopped("stopped before the end")
                while waiting and len(running) < self.processes:
                    place, (name, piece) = waiting.popleft()
                    running.append(_Process(place, name, piece))
                wait([one.answers for one in running], _LOOK_UP_SECONDS)
                for one in [one for one in running if one.answers.poll()]:
                    running.remove(one)
                    yield one.outcome()
        finally:
            _end(running)


Attempt: TypeAlias = tuple[Any, str | None, str]
"""A result, or None with a fault in one line and a traceback if nobody foresaw it."""


def attempt(work: Work) -> Attempt:
    """Does the work, in the process that it was sent to."""
    try:
        return work(), None, ""
    except UserError as fault:
        return None, str(fault), ""
    except Exception as fault:
        line = next(iter(str(fault).splitlines()), "no message")
        reason = f"unforeseen {type(fault).__name__}: {line}"
        return None, reason, traceback.format_exc()


@final
class _Process:
    def __init__(self, place: int, name: str, work: Work) -> None:
        self._place = place
        self.answers, theirs = Pipe(duplex=False)
        self.process = start_process(_do, work, theirs, name=name)
        theirs.close()

    def outcome(self) -> Outcome:
        """Returns what it sent, or how it died."""
        try:
            result, fault, details = self.answers.recv()
        except EOFError:
            self.process.join()
            code = self.process.exitcode
            fault = f"its process died with exit code {code}"
            return Outcome(self._place, fault=fault)
        finally:
            self.answers.close()
        self.process.join()
        return Outcome(self._place, result, fault, details)


def _do(work: Work, answers: Connection) -> None:
    with answers:
        answers.send(attempt(work))


def _end(running: Sequence[_Process]) -> None:
    for one in running:
        one.process.terminate()
    until = time.monotonic() + _GRACE_SECONDS
    for one in running:
        one.process.join(max(0.0, until - time.monotonic()))
        if one.process.is_alive():
            one.process.kill()
            one.process.join()
        one.answers.close()
