"""Work on the machines of a Ray cluster, by Ray's scheduler, retries and resources."""

import os
import re
import socket
import sys
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from importlib.util import find_spec
from multiprocessing.connection import Connection, Pipe
from pathlib import Path
from signal import SIGTERM, getsignal, signal
from typing import Any, final

from typing_extensions import override

from rltransfer.errors import InputError, Stopped
from rltransfer.resume.stop_signals import StopSignals
from rltransfer.workflows.job_pool import Attempt, Outcome, Pool, Work, attempt
from rltransfer.wrappers.step_timeout import START_SECONDS
from rltransfer.wrappers.subprocess_env import start_process

LOCAL = "local"
"""In the place of an address: a Ray of our own on this machine."""
RETRIES = 3
"""Of work whose worker was lost; Ray's own number."""
ANSWER_SECONDS = 30.0
"""A cluster that is there takes about five."""
_OBJECT_STORE_BYTES = 100 * 2**20
"""Of a Ray of our own. Only records go through it; Ray would take a third of memory."""
_CONNECT_SECONDS = 10.0
_LOOK_UP_SECONDS = 0.2
_GRACE_SECONDS = 1.0


@contextmanager
def ray_pool(
    address: str,
    at_once: int | None,
    folder: Path,
    answer_seconds: float = ANSWER_SECONDS,
) -> Iterator[Pool]:
    """Connects to Ray for the time of the block.

    What a cluster sends is unpickled, and it runs what it is sent: only one's own may
    be named. A process that is connected already takes that connection and leaves it
    open. What Ray prints goes to standard error.

    Args:
        address: `local`, or what `ray.init` takes, such as `10.0.0.1:6379`.
        at_once: most pieces of work at the same time; by default what Ray has CPUs for.
        folder: that work needs and all machines see.
        answer_seconds: within which a cluster has to answer.

    Raises:
        InputError: Ray is not installed, or nothing answers at the address in time.
    """
    if find_spec("ray") is None:
        raise InputError(
            "--ray needs the package ray, which is not installed; "
            "install it: pip install 'rltransfer[ray]'"
        )
    import ray

    with redirect_stdout(sys.stderr):
        if ray.is_initialized():
            yield _RayPool(at_once, Path.cwd(), folder)
            return
        # Read when Ray starts: nothing is told to anybody.
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        if address != LOCAL:
            _require_answer(address, answer_seconds)
        try:
            try:
                with _handler_kept():
                    ray.init(**_options(address, at_once))
            except (RuntimeError, ValueError, OSError) as fault:
                raise _no_answer(address, _first_line(fault)) from fault
            yield _RayPool(at_once, Path.cwd(), folder)
        finally:
            with _handler_kept():
                ray.shutdown()


@contextmanager
def _handler_kept() -> Iterator[None]:
    """Leaves SIGTERM to whom it was, since Ray's handler ends a process at once."""
    before = getsignal(SIGTERM)
    try:
        yield
    finally:
        # Elsewhere neither Ray nor anybody may set one.
        if threading.current_thread() is threading.main_thread():
            signal(SIGTERM, before)


def _options(address: str, at_once: int | None) -> dict[str, Any]:
    quiet = {"log_to_driver": False, "configure_logging": False}
    if address != LOCAL:
        return {"address": address, **quiet}
    return {
        "address": LOCAL,
        "num_cpus": at_once or os.cpu_count(),
        "object_store_memory": _OBJECT_STORE_BYTES,
        "include_dashboard": False,
        **quiet,
    }


def _require_answer(address: str, seconds: float) -> None:
    """Raises unless a cluster answers, as found out in a process of its own.

    Ray itself would try for two minutes where nothing answers, and may end the process.
    """
    answers, theirs = Pipe(duplex=False)
    process = start_process(_try, address, theirs, name="ray")
    theirs.close()
    reason: str | None = f"no Ray answered within {seconds:g} seconds"
    try:
        # The time of imports is not the cluster's.
        if answers.poll(START_SECONDS) and answers.recv() and answers.poll(seconds):
            reason = answers.recv()
    except EOFError:
        reason = "what answered is no Ray, or of another version"
    finally:
        process.terminate()
        process.join(_GRACE_SECONDS)
        if process.is_alive():
            process.kill()
            process.join()
        answers.close()
    if reason is not None:
        raise _no_answer(address, reason)


def _try(address: str, answers: Connection) -> None:
    """Sends why `address` is of no use, or None."""
    import ray

    answers.send(True)
    port = re.fullmatch(r"(?:\w+://)?\[?([^]\[/]+?)\]?:(\d{1,5})", address)
    if port is not None:
        # Found out at once, where Ray would try again and again.
        try:
            socket.create_connection((port[1], int(port[2])), _CONNECT_SECONDS).close()
        except (OSError, OverflowError) as fault:
            answers.send(_first_line(fault))
            return
    # What Ray prints on the way would be read as ours.
    silent = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silent, 1)
    os.dup2(silent, 2)
    reason = None
    try:
        ray.init(**_options(address, None))
        ray.cluster_resources()
    except Exception as fault:
        reason = _first_line(fault)
    answers.send(reason)
    ray.shutdown()


def _first_line(fault: Exception) -> str:
    lines = str(fault).strip().splitlines()
    return next(iter(lines), type(fault).__name__).rstrip(". ")


def _no_answer(address: str, reason: str) -> InputError:
    remedy = (
        "see the logs that Ray keeps"
        if address == LOCAL
        else "start Ray there, or take --ray local"
    )
    return InputError(
        f"--ray takes local or the address of a running Ray cluster, got {address!r} "
        f"({reason}); {remedy}"
    )


@final
@dataclass(frozen=True)
class _RayPool(Pool):
    """Tasks of the cluster that this process is connected to."""

    limit: int | None
    place: Path
    """Working folder of this process, which is the tasks' too where it exists."""
    folder: Path

    @property
    @override
    def at_once(self) -> int:
        import ray

        # Asked each time: clusters grow and shrink.
        found = max(1, int(ray.cluster_resources().get("CPU", 0)))
        return found if self.limit is None else min(found, self.limit)

    @override
    def outcomes(
        self, work: Sequence[tuple[str, Work]], stop: StopSignals
    ) -> Iterator[Outcome]:
        import ray
        from ray.exceptions import RayError, RayTaskError

        task = ray.remote(num_cpus=1, max_retries=RETRIES)(in_worker)
        waiting = deque(enumerate(work))
        running: dict[Any, int] = {}
        try:
            while waiting or running:
                if stop.asked:
                    raise Stopped("stopped before the end")
                room = self._room - len(running) if waiting else 0
                for _ in range(min(room, len(waiting))):
                    number, (name, piece) = waiting.popleft()
                    named = task.options(name=name)
                    running[named.remote(piece, self.place, self.folder)] = number
                for answer in _ready(list(running)):
                    number = running.pop(answer)
                    try:
                        result, fault, details = ray.get(answer)
                    except RayTaskError as lost:
                        # Before our part began: a module that is not there, say.
                        reason = str(lost).strip().rpartition("\n")[2]
                        result, fault, details = None, f"on Ray: {reason}", str(lost)
                    except RayError as lost:
                        reason = f"{type(lost).__name__}: {_first_line(lost)}"
                        result, details = None, str(lost)
                        fault = f"lost by Ray: {reason}"
                    yield Outcome(number, result, fault, details)
        finally:
            for answer in running:
                ray.cancel(answer, force=True)

    @property
    def _room(self) -> int:
        # Twice as many as are done at once: the next one waits where there is a CPU,
        # and a cluster that grows sees that it has to. All of them would be too many
        # to ask after at every turn.
        return 2 * self.at_once if self.limit is None else self.limit


def _ready(answers: list[Any]) -> list[Any]:
    """Returns those that are there, after a moment if none is."""
    import ray

    found, others = ray.wait(answers, num_returns=1, timeout=_LOOK_UP_SECONDS)
    if not found or not others:
        return list(found)
    more, _ = ray.wait(others, num_returns=len(others), timeout=0)
    return [*found, *more]


def in_worker(work: Work, place: Path, folder: Path) -> Attempt:
    """Does the work in a process of Ray's."""
    if place.is_dir():
        os.chdir(place)
    if not folder.is_dir():
        return (
            None,
            f"machines of a Ray cluster share the log folder, {folder} is not on "
            f"{socket.gethostname()}; choose one that all of them see",
            "",
        )
    return attempt(work)
