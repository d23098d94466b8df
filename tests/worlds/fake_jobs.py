"""Jobs of a benchmark that take no time, for processes to run, and a tiny pair."""

import os
import signal
from pathlib import Path
from typing import Any

from rltransfer.errors import InputError
from rltransfer.workflows.benchmark_jobs import Job
from rltransfer_envs.pairs import Agent, Goal, Learning, Pair

SOURCE = Agent("CartPole-v1", "ppo", 256, hyperparams={"n_steps": 32})
TINY = Pair(
    "tiny",
    SOURCE,
    "rltransfer/CartPole-v0",
    400,
    (Goal("unmapped", 1.0), Goal("home", 0.7)),
    "the same",
    {"force": 9.0},
    learning=Learning(SOURCE, None, 256, 400, 100.0, 10.0, 110.0, 1.0, "made up"),
    weak_source=True,
)
PLAIN = Pair("plain", SOURCE, "CartPole-v1", 400, (), "asks for nothing")


def told(zero_shot: float, random: float = 10.0, **more: Any) -> dict[str, Any]:
    """What a transfer might have printed; five episodes around each mean."""

    def summary(mean: float) -> dict[str, Any]:
        return {"mean_return": mean, "returns": [mean + n for n in range(-2, 3)]}

    return {
        "zero_shot": summary(zero_shot),
        "random": summary(random),
        "source_at_home": summary(110.0),
        "unmapped": summary(60.0),
        "accepted": True,
        "target_steps": 90,
        "seconds": 2.0,
        "seed": 0,
        **more,
    }


def seeds_asked(folder: Path) -> list[int]:
    """Seeds of the jobs that ran since the last call."""
    path = folder / "asked"
    text = path.read_text() if path.exists() else ""
    path.unlink(missing_ok=True)
    return sorted(map(int, text.split()))


def note(job: Job) -> dict[str, Any]:
    """Notes that it was asked for, and earns its seed."""
    with (job.folder / "asked").open("a") as file:
        file.write(f"{job.seed}\n")
    curve = [
        {"target_steps": 0, "mean_return": 10.0, "arm": "scratch"},
        {"target_steps": 400, "mean_return": 110.0, "arm": "scratch"},
    ]
    return told(float(job.seed), curve=curve)


def fail_at_two(job: Job) -> dict[str, Any]:
    """Fails for seed 2, as a user's fault, and for seed 3 as nobody foresaw."""
    if job.seed == 2:
        raise InputError("the rule; the remedy")
    if job.seed == 3:
        raise RuntimeError("no one knows")
    return note(job)


def die_at_two(job: Job) -> dict[str, Any]:
    """Is killed for seed 2."""
    if job.seed == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return note(job)


def stop_at_two(job: Job) -> dict[str, Any]:
    """For seed 2 it lets Ctrl-C reach the process that the folder names."""
    if job.seed == 2:
        os.kill(int((job.folder / "pid").read_text()), signal.SIGINT)
        signal.pause()
    return note(job)


def lost_once(job: Job) -> dict[str, Any]:
    """Is killed in the middle of seed 2, the first time."""
    begun = job.folder / f"begun-{job.seed}"
    first = not begun.exists()
    begun.touch()
    if job.seed == 2 and first:
        os.kill(os.getpid(), signal.SIGKILL)
    return note(job)
