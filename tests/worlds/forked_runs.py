"""Runs into which faults are injected, each in a process forked from a clean one."""

import json
import multiprocessing
import os
from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any
from unittest import mock

import torch

from rltransfer.alignment import ActionFitConfig, AlignConfig, Source, align
from rltransfer.alignment.response_config import ResponseConfig
from rltransfer.domain import Domain
from rltransfer.io import write_atomically
from rltransfer.resume.replay_log import ReplayLog
from rltransfer.source_models import LearnConfig
from rltransfer.wrappers import StepBudget
from tests.worlds.fault_injection import LONGEST_SECONDS, Call, Fault, injected
from tests.worlds.points import Home, Point

MIRRORED = ((0.0, 2.0), (1.0, 0.0))
TINY = AlignConfig(
    restarts=4,
    updates=20,
    batch_size=64,
    rounds=2,
    source_steps=600,
    learning=LearnConfig(width=16, updates=40, batch_size=64),
    actions=ActionFitConfig(updates=10),
    responses=ResponseConfig(simulated_wirings=2, copies=(2,), simulated_steps=100),
    # What it simulates in the source is computed anew, as updates are.
    without="retraced",
)

QUICK = (
    "--weak-source",
    "--hyperparams",
    *("restarts=2", "updates=10", "rounds=1", "source_steps=300"),
    *("learning.width=8", "learning.updates=20", "actions.updates=10"),
    *("responses.simulated_wirings=2", "responses.simulated_steps=20"),
    "--no-report",
)
"""For calls of the command line that take little effort."""

_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["tests.worlds.fork_server"])


def carried(folder: Path) -> dict[str, Any]:
    """Returns all that must not change in a small transfer with a replay log."""
    torch.set_num_threads(1)
    replay_log = ReplayLog(folder, {"seed": 0})
    home = Domain(Point, "point")
    target = Domain(lambda: Point(MIRRORED), "target", StepBudget(900))
    home.use_replay_log(replay_log, "source 1")
    target.use_replay_log(replay_log, "target")
    found = align([Source(home, Home(), "home")], target, TINY)
    returns = target.evaluate(found.policy, episodes=3, seed=9)
    mapping = found.chosen.candidate.mapping
    return {
        "mapping": tensors_digest(mapping),
        "acceptance": found.acceptance.returns.tolist(),
        "random": found.acceptance.random_returns.tolist(),
        "trials": [trial.rollout.returns.tolist() for trial in found.trials],
        "taken": target.budget.taken,
        "reported": target.budget.reported,
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


def carried_apart(folder: Path, answer: Path, fault: Fault | None) -> int:
    """Carries the small transfer in a process of its own; returns its exit code."""
    return ended(begun(_carry, folder, answer, fault))


def called_apart(
    words: Sequence[object],
    output: Path,
    fault: Fault | None,
    before: Call | None = None,
) -> int:
    """Calls the command line, with little effort, in a process of its own.

    Args:
        words: of the call.
        output: takes both standard streams, and its events are written beside it.
        fault: what happens on the way.
        before: is called there first.
    """
    return ended(called(words, output, fault, before))


def called(
    words: Sequence[object],
    output: Path,
    fault: Fault | None,
    before: Call | None = None,
) -> Any:
    """Begins a call of the command line; returns its process."""
    return begun(_call, [str(word) for word in words], output, fault, before)


def begun(work: Callable[..., None], *arguments: Any) -> Any:
    """Begins `work` in a process of its own; returns it."""
    process = _FORKS.Process(target=_grouped, args=(work, *arguments))
    process.start()
    return process


def ended(process: Any) -> int:
    """Waits for a process, kills it where it hangs, and returns its exit code."""
    process.join(LONGEST_SECONDS)
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


def _carry(folder: Path, answer: Path, fault: Fault | None) -> None:
    with injected(fault) as events:
        left = carried(folder)
    answer.write_text(json.dumps({"left": left, "events": events}))


def _call(
    words: list[str],
    output: Path,
    fault: Fault | None,
    before: Call | None,
) -> None:
    from rltransfer.cli import main
    from rltransfer.workflows import transfer_folder, transfer_request

    handle = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    os.dup2(handle, 1)
    os.dup2(handle, 2)
    if before is not None:
        before()
    with (
        mock.patch.object(transfer_request, "REPORTED_EPISODES", 1),
        mock.patch.object(transfer_folder, "draw", _scribble),
        injected(fault) as events,
    ):
        main(words if "--resume" in words else [*words, *QUICK])
    output.with_suffix(".events").write_text(json.dumps(events))


def _scribble(path: Path, *what: object) -> None:
    # Drawing takes longer than all else.
    write_atomically(path, b"a picture")
