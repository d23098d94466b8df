"""Runs trainings in processes that can be killed.

One process imports everything once and forks for each job, so that a job takes the
time of its training. Jobs come as lines of JSON on standard input; for each a line
goes out with the exit status of the job (negative for a signal) and what it printed.
"""

import json
import os
import resource
import shutil
import signal
import sys
import time
import traceback
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import gymnasium as gym
import torch

from rltransfer.errors import UserError
from rltransfer_agents.training import (
    Progress,
    TrainConfig,
    Watch,
    resume_source,
    train_sources,
)
from rltransfer_agents.training import learner_state as items
from rltransfer_agents.training.learner_state import Item
from rltransfer_agents.training.vector_env import VectorEnv
from tests.agents.training.survival import faulty
from tests.worlds.os_calls import counted_os_calls

_PATCHES = ExitStack()
"""Until the end of the process."""

# A fork of a process whose torch has threads would hang.
torch.set_num_threads(1)
# What a dead process has written, the system keeps; only a power cut needs this.
os.fsync = lambda handle: None


def main() -> None:
    _warm_up()
    for line in sys.stdin:
        job = json.loads(line)
        out = Path(job["out"])
        out.touch()
        child = os.fork()
        if child == 0:
            with out.open("w") as text:
                os.dup2(text.fileno(), 1)
                os.dup2(text.fileno(), 2)
                os._exit(_do(job))
        status = _ended(child, job.get("faults", {}).get("timer"))
        answer = {"status": status, "text": out.read_text()}
        print(json.dumps(answer), flush=True)


def _warm_up() -> None:
    """Imports what is imported at the first use, which takes seconds."""
    for env_id in ("LunarLander-v3", "InvertedPendulum-v5"):
        gym.make(env_id).close()
    parameter = torch.zeros(1, requires_grad=True)
    parameter.sum().backward()
    torch.optim.Adam([parameter]).step()


def _ended(child: int, seconds: float | None) -> int:
    """Waits for a child, or kills it when its time is over; returns its status."""
    end = time.monotonic() + (seconds or 1e9)
    while True:
        found, status = os.waitpid(child, os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() > end:
            os.kill(child, signal.SIGKILL)
        time.sleep(0.001)


def _do(job: dict[str, Any]) -> int:
    # Signals to the group reach only this job.
    os.setpgid(0, 0)
    _arm(job.get("faults", {}), Path(job["folder"]))
    try:
        folder = Path(job["folder"])
        if job["verb"] == "resume":
            found = [resume_source(folder)]
        else:
            configs = [TrainConfig(**c, log_folder=folder) for c in job["configs"]]
            found = train_sources(configs, _signalling_watch(job.get("faults", {})))
        print(json.dumps([run.record() for run in found]), flush=True)
        return 0
    except UserError as fault:
        print(f"{type(fault).__name__}: {fault}", flush=True)
        return fault.exit_status
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
        return 1


def _signalling_watch(faults: dict[str, Any]) -> Watch | None:
    """Returns a watch that sends signals once every training has begun."""
    left = {*faults.get("begun", [])}
    if not left:
        return None

    def watch(progress: Progress) -> None:
        if progress.steps > 0 and progress.env_id in left:
            left.remove(progress.env_id)
            if not left:
                _send(faults)

    return watch


def _send(faults: dict[str, Any]) -> None:
    for name in faults["signals"]:
        send = os.killpg if faults.get("group") else os.kill
        send(os.getpid(), signal.Signals[name])


def _arm(faults: dict[str, Any], folder: Path) -> None:
    faulty.mended = faults.get("mended", False)
    if "file_size" in faults:
        limit = faults["file_size"]
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    if "point" in faults:
        _PATCHES.enter_context(counted_os_calls(_at_point(faults)))
    if "step" in faults:
        _at_step(faults, folder)
    if "drop" in faults:
        take = items.ITEMS[faults["drop"]].take
        items.ITEMS[faults["drop"]] = Item(take, lambda learner, part: None)


def _at_point(faults: dict[str, Any]) -> Any:
    left = faults["nth"]

    def reaches(point: str) -> None:
        nonlocal left
        if point == faults["point"]:
            left -= 1
            if left == 0:
                if "errno" in faults:
                    raise OSError(faults["errno"], os.strerror(faults["errno"]))
                os.kill(os.getpid(), signal.SIGKILL)

    return reaches


def _at_step(faults: dict[str, Any], folder: Path) -> None:
    step_wait, left = VectorEnv.step_wait, faults["step"]

    def fault(self: VectorEnv) -> Any:
        nonlocal left
        left -= 1
        if left == 0:
            if faults.get("remove"):
                shutil.rmtree(folder)
            else:
                _send(faults)
        return step_wait(self)

    VectorEnv.step_wait = fault  # type: ignore[method-assign]


if __name__ == "__main__":
    main()
