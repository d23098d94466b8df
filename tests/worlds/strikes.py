"""Runs that are struck on the way, each in a process forked from a clean one."""

import json
import multiprocessing
import os
import random
import shutil
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeAlias
from unittest import mock

import torch

from rltransfer.alignment import AlignConfig, Source, align
from rltransfer.alignment.families import structured_families as structured
from rltransfer.domain import Domain
from rltransfer.io import points, write_atomically
from rltransfer.mapping.stacked_adam import Candidates
from rltransfer.resume.replay_log import ReplayLog
from rltransfer.source_models import LearnConfig
from rltransfer.wrappers import StepBudget
from tests.worlds.points import Home, Point

KINDS = ("step", "update", "point")
"""A step is taken, a fit goes on, a file is being written."""
MIRRORED = ((0.0, 2.0), (1.0, 0.0))
TINY = AlignConfig(
    restarts=4,
    updates=20,
    batch_size=64,
    rounds=2,
    source_steps=600,
    learning=LearnConfig(width=16, updates=40, batch_size=64),
)

QUICK = partial(
    AlignConfig,
    restarts=2,
    updates=10,
    rounds=1,
    source_steps=300,
    learning=LearnConfig(width=8, updates=20),
)
"""What a call of the command line takes in place of the defaults."""
Call: TypeAlias = Callable[[], object]

_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["tests.worlds.zygote"])
_LONGEST_SECONDS = 120


@dataclass(frozen=True)
class Strike:
    """What happens where: at the event of that number, of that kind.

    The kind is one of `KINDS`, or the name of a writer's point.
    """

    kind: str
    at: int
    deed: Call
    lasting: bool = False
    """Whether it happens at every later event of that kind as well."""

    def due(self, kind: str, number: int) -> bool:
        """Returns whether it happens at the event of that kind and number."""
        return kind == self.kind and (
            number == self.at or (self.lasting and number > self.at)
        )


def send(number: signal.Signals, to_group: bool = False) -> Call:
    """Returns the deed of sending a signal to oneself, or to one's group."""
    return partial(_send, int(number), to_group)


def send_twice(number: signal.Signals, to_group: bool, pause: float) -> Call:
    """Returns the deed of having a signal sent to oneself, and then Ctrl-C's.

    Args:
        number: of the first signal.
        to_group: whether all of one's group get it.
        pause: seconds between the two.
    """
    return partial(_send_twice, int(number), to_group, pause)


def refuse(code: int) -> Call:
    """Returns the deed of a disk that refuses with `code`."""
    return partial(_refuse, code)


def wait_for(path: Path) -> Call:
    """Returns the deed of waiting until there is a file."""
    return partial(_wait_for, path)


def remove(folder: Path) -> Call:
    """Returns the deed of deleting a folder under a run."""
    return partial(shutil.rmtree, folder)


def strikes(
    events: dict[str, int], count: int, seed: object, deed: Call
) -> list[Strike]:
    """Returns strikes at random events, every kind in turn, every point as often."""
    rng = random.Random(str(seed))
    kinds = [kind for kind in KINDS if events.get(kind)]
    named = sorted(set(events) - set(KINDS))
    chosen = []
    for place in range(count):
        kind = kinds[place % len(kinds)]
        kind = rng.choice(named) if kind == "point" else kind
        chosen.append(Strike(kind, rng.randint(1, events[kind]), deed))
    return chosen


@contextmanager
def armed(strike: Strike | None) -> Iterator[Counter[str]]:
    """Counts events in the block, points by name as well, and strikes."""
    events: Counter[str] = Counter()

    def happens(kind: str) -> None:
        events[kind] += 1
        if strike and strike.due(kind, events[kind]):
            strike.deed()

    def counted(kind: str, original: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            happens(kind)
            return original(*arguments, **options)

        return call

    def reached(point: str) -> None:
        happens("point")
        happens(point)

    with (
        mock.patch.object(Domain, "step", counted("step", Domain.step)),
        mock.patch.object(Candidates, "step", counted("update", Candidates.step)),
        mock.patch.object(points, "reached", reached),
    ):
        yield events


def carried(folder: Path) -> dict[str, Any]:
    """Returns all that must not change in a small transfer with a journal."""
    torch.set_num_threads(1)
    replay_log = ReplayLog(folder, {"seed": 0})
    home = Domain(Point, "point")
    target = Domain(lambda: Point(MIRRORED), "target", StepBudget(900))
    for domain in (home, target):
        domain.use_replay_log(replay_log)
    found = align(Source(home, Home(), "home"), target, TINY)
    returns = target.evaluate(found.policy, episodes=3, seed=9)
    mapping = found.chosen.candidate.mapping
    return {
        "mapping": tensors_digest(mapping),
        "acceptance": found.acceptance.returns.tolist(),
        "random": found.acceptance.random_returns.tolist(),
        "trials": [trial.rollout.returns.tolist() for trial in found.trials],
        "taken": target.meter.taken,
        "reported": target.meter.reported,
        "returns": returns.tolist(),
        "resumed": replay_log.resumed,
        "reproducibility_warnings": list(replay_log.reproducibility_warnings),
    }


def tensors_digest(network: torch.nn.Module) -> str:
    """Returns the SHA-256 of every bit of a network."""
    digest = sha256()
    for name, tensor in sorted(network.state_dict().items()):
        digest.update(name.encode() + tensor.contiguous().numpy().tobytes())
    return digest.hexdigest()


def carried_apart(folder: Path, answer: Path, strike: Strike | None) -> int:
    """Carries the small transfer in a process of its own; returns its exit code."""
    return ended(begun(_carry, folder, answer, strike))


def called_apart(
    words: Sequence[object],
    output: Path,
    strike: Strike | None,
    before: Call | None = None,
) -> int:
    """Calls the command line, with little effort, in a process of its own.

    Args:
        words: of the call.
        output: takes both standard streams, and what happened beside it.
        strike: what happens on the way.
        before: is called there first.
    """
    return ended(called(words, output, strike, before))


def called(
    words: Sequence[object],
    output: Path,
    strike: Strike | None,
    before: Call | None = None,
) -> Any:
    """Begins a call of the command line; returns its process."""
    return begun(_call, [str(word) for word in words], output, strike, before)


def begun(work: Callable[..., None], *arguments: Any) -> Any:
    """Begins `work` in a process of its own; returns it."""
    process = _FORKS.Process(target=_grouped, args=(work, *arguments))
    process.start()
    return process


def ended(process: Any) -> int:
    """Waits for a process, kills it where it hangs, and returns its exit code."""
    process.join(_LONGEST_SECONDS)
    if process.exitcode is None:
        process.kill()
        process.join()
    code: int = process.exitcode
    process.close()
    return code


def _grouped(work: Callable[..., None], *arguments: Any) -> None:
    # Signals to the group reach only this process.
    os.setpgid(0, 0)
    work(*arguments)


def _carry(folder: Path, answer: Path, strike: Strike | None) -> None:
    with _few_updates(), armed(strike) as events:
        left = carried(folder)
    answer.write_text(json.dumps({"left": left, "events": events}))


def _call(
    words: list[str],
    output: Path,
    strike: Strike | None,
    before: Call | None,
) -> None:
    from rltransfer.cli import main
    from rltransfer.workflows import transfer as carry
    from rltransfer.workflows import transfer as storing
    from rltransfer.workflows import transfer_request as options

    handle = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    os.dup2(handle, 1)
    os.dup2(handle, 2)
    if before is not None:
        before()
    with (
        mock.patch.object(carry, "AlignConfig", QUICK),
        _few_updates(),
        mock.patch.object(options, "FEWEST_EPISODES", 1),
        mock.patch.object(storing, "draw", _scribble),
        armed(strike) as events,
    ):
        main(words)
    output.with_suffix(".events").write_text(json.dumps(events))


def _few_updates() -> Any:
    # Of the rungs that do not ask the config.
    return mock.patch.object(structured, "_UPDATES", 10)


def _scribble(path: Path, *what: object) -> None:
    # Drawing takes longer than all else.
    write_atomically(path, b"a picture")


def _send(number: int, to_group: bool) -> None:
    reach = os.killpg if to_group else os.kill
    reach(os.getpid(), number)


def _send_twice(number: int, to_group: bool, pause: float) -> None:
    # From outside: whoever is struck by the first one sends no second one.
    reach, struck = os.killpg if to_group else os.kill, os.getpid()
    (forked, ready), (begun, told) = os.pipe(), os.pipe()
    if os.fork() == 0:
        os.setpgid(0, 0)
        # What a parent runs after it has forked swallows what a signal raises there.
        os.read(forked, 1)
        reach(struck, number)
        os.write(told, b"!")
        time.sleep(pause)
        with suppress(ProcessLookupError):
            reach(struck, number)
        os._exit(0)
    os.write(ready, b"!")
    os.read(begun, 1)


def _wait_for(path: Path) -> None:
    end = time.monotonic() + _LONGEST_SECONDS
    while not path.exists() and time.monotonic() < end:
        time.sleep(0.005)


def _refuse(code: int) -> None:
    raise OSError(code, os.strerror(code))
