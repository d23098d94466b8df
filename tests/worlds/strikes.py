"""Runs that are struck on the way, each in a process forked from a clean one."""

import json
import multiprocessing
import os
import random
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any
from unittest import mock

import torch

from rltransfer.alignment import AlignConfig, Source, align
from rltransfer.domain import Domain, Journal, StepMeter
from rltransfer.dynamics import LearnConfig
from rltransfer.files import points
from rltransfer.mapping.fitting.candidates import Candidates
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
    restarts=4,
    updates=20,
    rounds=1,
    source_steps=600,
    learning=LearnConfig(width=16, updates=20),
)
"""What a call of the command line takes in place of the defaults."""

_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(
    ["rltransfer.cli.app", "rltransfer.cli.transferring.carry", "pytest"]
)


@dataclass(frozen=True)
class Strike:
    """What happens where: at the event of that number, of that kind."""

    kind: str
    at: int
    deed: Callable[[], object]


def send(number: signal.Signals) -> Callable[[], object]:
    """Returns the deed of sending a signal to oneself."""
    return partial(_send, int(number))


def strikes(
    events: dict[str, int], count: int, seed: int, deed: Callable[[], object]
) -> list[Strike]:
    """Returns strikes at random events, every kind in turn."""
    rng = random.Random(seed)
    kinds = [kind for kind in KINDS if events.get(kind)]
    return [
        Strike(kind, rng.randint(1, events[kind]), deed)
        for kind in (kinds[place % len(kinds)] for place in range(count))
    ]


@contextmanager
def armed(strike: Strike | None) -> Iterator[Counter[str]]:
    """Counts events in the block, and strikes."""
    events: Counter[str] = Counter()

    def counted(kind: str, original: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            events[kind] += 1
            if strike and (strike.kind, strike.at) == (kind, events[kind]):
                strike.deed()
            return original(*arguments, **options)

        return call

    with (
        mock.patch.object(Domain, "step", counted("step", Domain.step)),
        mock.patch.object(Candidates, "step", counted("update", Candidates.step)),
        mock.patch.object(points, "reached", counted("point", points.reached)),
    ):
        yield events


def carried(folder: Path) -> dict[str, Any]:
    """Returns all that must not change in a small transfer with a journal."""
    torch.set_num_threads(1)
    journal = Journal(folder, {"seed": 0})
    home = Domain(Point, "point")
    target = Domain(lambda: Point(MIRRORED), "target", StepMeter(900))
    for domain in (home, target):
        domain.keep_journal(journal)
    found = align(Source(home, Home(), "home"), target, TINY)
    returns = target.evaluate(found.policy, episodes=3, seed=9)
    mapping = found.chosen.candidate.mapping
    return {
        "mapping": tensors_digest(mapping),
        "proof": found.proof.returns.tolist(),
        "random": found.proof.random_returns.tolist(),
        "trials": [trial.rollout.returns.tolist() for trial in found.trials],
        "taken": target.meter.taken,
        "reported": target.meter.reported,
        "returns": returns.tolist(),
        "resumed": journal.resumed,
        "doubts": list(journal.doubts),
    }


def tensors_digest(network: torch.nn.Module) -> str:
    """Returns the SHA-256 of every bit of a network."""
    digest = sha256()
    for name, tensor in sorted(network.state_dict().items()):
        digest.update(name.encode() + tensor.contiguous().numpy().tobytes())
    return digest.hexdigest()


def carried_apart(folder: Path, answer: Path, strike: Strike | None) -> int:
    """Carries the small transfer in a process of its own; returns its exit code."""
    return _apart(_carry, folder, answer, strike)


def called_apart(words: list[str], output: Path, strike: Strike | None) -> int:
    """Calls the command line, with little effort, in a process of its own."""
    return _apart(_call, words, output, strike)


def _apart(work: Callable[..., None], *arguments: Any) -> int:
    process = _FORKS.Process(target=work, args=arguments)
    process.start()
    process.join(120)
    if process.exitcode is None:
        process.kill()
        process.join()
    assert process.exitcode is not None
    return process.exitcode


def _carry(folder: Path, answer: Path, strike: Strike | None) -> None:
    with armed(strike) as events:
        left = carried(folder)
    answer.write_text(json.dumps({"left": left, "events": events}))


def _call(words: list[str], output: Path, strike: Strike | None) -> None:
    from rltransfer.cli import main
    from rltransfer.cli.transferring import carry

    handle = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    os.dup2(handle, 1)
    os.dup2(handle, 2)
    with mock.patch.object(carry, "AlignConfig", QUICK), armed(strike) as events:
        main(words)
    output.with_suffix(".events").write_text(json.dumps(events))


def _send(number: int) -> None:
    os.kill(os.getpid(), number)
