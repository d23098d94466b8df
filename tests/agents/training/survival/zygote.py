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
import traceback
from pathlib import Path
from typing import Any

import torch

from rltransfer.errors import UserError
from rltransfer.files import points
from rltransfer_agents.training import TrainConfig, resume_source, train_source
from rltransfer_agents.training.environments import SideBySide
from rltransfer_agents.training.snapshots import items
from rltransfer_agents.training.snapshots.item import Item

# A fork of a process whose torch has threads would hang.
torch.set_num_threads(1)
# What a dead process has written, the system keeps; only a power cut needs this.
os.fsync = lambda handle: None


def main() -> None:
    for line in sys.stdin:
        job = json.loads(line)
        out = Path(job["out"])
        child = os.fork()
        if child == 0:
            with out.open("w") as text:
                os.dup2(text.fileno(), 1)
                os.dup2(text.fileno(), 2)
                os._exit(_do(job))
        _, status = os.waitpid(child, 0)
        answer = {"status": os.waitstatus_to_exitcode(status), "text": out.read_text()}
        print(json.dumps(answer), flush=True)


def _do(job: dict[str, Any]) -> int:
    # Signals to the group reach only this job.
    os.setpgid(0, 0)
    _arm(job.get("faults", {}), Path(job["folder"]))
    try:
        if job["verb"] == "train":
            arguments = {**job["config"], "log_folder": Path(job["folder"])}
            run = train_source(TrainConfig(**arguments))
        else:
            run = resume_source(Path(job["folder"]))
        print(json.dumps(run.record()), flush=True)
        return 0
    except UserError as fault:
        print(f"{type(fault).__name__}: {fault}", flush=True)
        return fault.exit_status
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
        return 1


def _arm(faults: dict[str, Any], folder: Path) -> None:
    if "timer" in faults:
        # Its signal ends the process at once, wherever it is.
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_REAL, faults["timer"])
    if "file_size" in faults:
        limit = faults["file_size"]
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    if "point" in faults:
        points.reached = _striker(faults)
    if "step" in faults:
        _strike_at_step(faults, folder)
    if "drop" in faults:
        take = items.ITEMS[faults["drop"]].take
        items.ITEMS[faults["drop"]] = Item(take, lambda learner, part: None)


def _striker(faults: dict[str, Any]) -> Any:
    left = faults["nth"]

    def reached(point: str) -> None:
        nonlocal left
        if point == faults["point"]:
            left -= 1
            if left == 0:
                if "errno" in faults:
                    raise OSError(faults["errno"], os.strerror(faults["errno"]))
                os.kill(os.getpid(), signal.SIGKILL)

    return reached


def _strike_at_step(faults: dict[str, Any], folder: Path) -> None:
    step_wait, left = SideBySide.step_wait, faults["step"]

    def strike(self: SideBySide) -> Any:
        nonlocal left
        left -= 1
        if left == 0:
            for name in faults.get("signals", []):
                send = os.killpg if faults.get("group") else os.kill
                send(os.getpid(), signal.Signals[name])
            if faults.get("remove"):
                shutil.rmtree(folder)
        return step_wait(self)

    SideBySide.step_wait = strike  # type: ignore[method-assign]


if __name__ == "__main__":
    main()
