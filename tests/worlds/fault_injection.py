"""Faults that are injected into a run: at which event, and what happens there."""

import os
import random
import shutil
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias
from unittest import mock

from rltransfer.domain import Domain
from rltransfer.mapping.stacked_adam import Restarts
from tests.worlds.os_calls import counted_os_calls

KINDS = ("step", "update", "point")
"""A step is taken, a fit goes on, a file is being written."""
LONGEST_SECONDS = 120
Call: TypeAlias = Callable[[], object]


@dataclass(frozen=True)
class Fault:
    """What happens where: at the event of that number, of that kind.

    The kind is one of `KINDS`, or a name in `os_calls`.
    """

    kind: str
    at: int
    action: Call
    lasting: bool = False
    """Whether it happens at every later event of that kind as well."""

    def due(self, kind: str, number: int) -> bool:
        """Returns whether it happens at the event of that kind and number."""
        return kind == self.kind and (
            number == self.at or (self.lasting and number > self.at)
        )


def send(number: signal.Signals, to_group: bool = False) -> Call:
    """Returns the action of sending a signal to oneself, or to one's group."""
    return partial(_send, int(number), to_group)


def send_twice(number: signal.Signals, to_group: bool, pause: float) -> Call:
    """Returns the action of having a signal sent to oneself, and then Ctrl-C's.

    Args:
        number: of the first signal.
        to_group: whether all of one's group get it.
        pause: seconds between the two.
    """
    return partial(_send_twice, int(number), to_group, pause)


def refuse(code: int) -> Call:
    """Returns the action of a disk that refuses with `code`."""
    return partial(_refuse, code)


def wait_for(path: Path) -> Call:
    """Returns the action of waiting until there is a file."""
    return partial(_wait_for, path)


def remove(folder: Path) -> Call:
    """Returns the action of deleting a folder under a run."""
    return partial(shutil.rmtree, folder)


def random_faults(
    events: dict[str, int], count: int, seed: object, action: Call
) -> list[Fault]:
    """Returns faults at random events, every kind in turn, every point as often."""
    rng = random.Random(str(seed))
    kinds = [kind for kind in KINDS if events.get(kind)]
    named = sorted(set(events) - set(KINDS))
    chosen = []
    for place in range(count):
        kind = kinds[place % len(kinds)]
        kind = rng.choice(named) if kind == "point" else kind
        chosen.append(Fault(kind, rng.randint(1, events[kind]), action))
    return chosen


@contextmanager
def injected(fault: Fault | None) -> Iterator[Counter[str]]:
    """Counts events in the block, points by name as well, and lets `fault` happen."""
    events: Counter[str] = Counter()

    def happens(kind: str) -> None:
        events[kind] += 1
        if fault and fault.due(kind, events[kind]):
            fault.action()

    def counted(kind: str, original: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            happens(kind)
            return original(*arguments, **options)

        return call

    def reaches(point: str) -> None:
        happens("point")
        happens(point)

    with (
        mock.patch.object(Domain, "step", counted("step", Domain.step)),
        mock.patch.object(Restarts, "step", counted("update", Restarts.step)),
        counted_os_calls(reaches),
    ):
        yield events


def _send(number: int, to_group: bool) -> None:
    reach = os.killpg if to_group else os.kill
    reach(os.getpid(), number)


def _send_twice(number: int, to_group: bool, pause: float) -> None:
    # From outside: who is stopped by the first one sends no second one.
    reach, run = os.killpg if to_group else os.kill, os.getpid()
    (forked, ready), (begun, sent) = os.pipe(), os.pipe()
    if os.fork() == 0:
        os.setpgid(0, 0)
        # A lock is held while any copy of its handle is open.
        first, second = sorted((forked, sent))
        os.closerange(3, first)
        os.closerange(first + 1, second)
        os.closerange(second + 1, 4096)
        # What a parent runs after it has forked swallows what a signal raises there.
        os.read(forked, 1)
        reach(run, number)
        os.write(sent, b"!")
        time.sleep(pause)
        with suppress(ProcessLookupError):
            reach(run, number)
        os._exit(0)
    os.write(ready, b"!")
    os.read(begun, 1)


def _wait_for(path: Path) -> None:
    end = time.monotonic() + LONGEST_SECONDS
    while not path.exists() and time.monotonic() < end:
        time.sleep(0.005)


def _refuse(code: int) -> None:
    raise OSError(code, os.strerror(code))
