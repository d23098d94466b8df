"""Child processes that answer requests, and can be ended whatever they are doing."""

import multiprocessing
import signal
from collections.abc import Callable
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from multiprocessing.util import Finalize
from typing import Any, TypeAlias, final

from rltransfer.errors import UserError, portable

# A plain fork would share the state of torch's threads, a fresh interpreter would
# import everything again; the fork server has imported it once and has no threads.
_CONTEXT = multiprocessing.get_context("forkserver")

pipe = _CONTEXT.Pipe

Answer: TypeAlias = Callable[[str, Any], Any]
"""Takes the name of a request and its argument; returns the answer."""

_END_SECONDS = 1.0


def preload(*modules: str) -> None:
    """Lets the fork server import modules once; has an effect before it starts."""
    _CONTEXT.set_forkserver_preload(list(modules))


def start_process(
    work: Callable[..., None], *arguments: Any, name: str, daemon: bool = False
) -> BaseProcess:
    """Starts a process that ignores SIGINT.

    Ctrl-C reaches every process of a terminal; this one is ended by its parent only.

    Args:
        work: done there, with `arguments`.
        arguments: are pickled.
        name: of the process.
        daemon: ends with this process; must start none itself.
    """
    process = _CONTEXT.Process(
        target=_without_sigint, args=(work, *arguments), name=name, daemon=daemon
    )
    process.start()
    return process


def _without_sigint(work: Callable[..., None], *arguments: Any) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    work(*arguments)


class NoAnswer(Exception):
    """No answer will come; the message says why, without naming who was asked."""


@final
class WorkerProcess:
    """The parent's side of a process that answers requests in order.

    Args:
        make: makes there what answers; is pickled.
        name: of the process.
    """

    def __init__(self, make: Callable[[], Answer], name: str) -> None:
        self._ours, theirs = pipe()
        self._process = start_process(_serve, make, theirs, name=name, daemon=True)
        theirs.close()
        # At exit too: it ignores the signal by which Python ends its children.
        self._end = Finalize(
            self, _end, args=(self._ours, self._process), exitpriority=0
        )

    def send(self, request: str, argument: Any = None) -> None:
        """Sends a request without waiting for its answer."""
        try:
            self._ours.send((request, argument))
        except OSError:
            # It has died; `receive` says why.
            return

    def receive(self, seconds: float) -> Any:
        """Returns the answer to the oldest request.

        Raises:
            NoAnswer: it died, raised something, or did not answer for `seconds`.
            UserError: as it was raised there.
        """
        try:
            if not self._ours.poll(seconds):
                raise NoAnswer(f"has not come back for {seconds:g} s")
            answer = self._ours.recv()
        except (EOFError, OSError):
            self._process.join(_END_SECONDS)
            raise NoAnswer(f"died: {_ending(self._process.exitcode)}") from None
        if isinstance(answer, UserError | NoAnswer):
            raise answer
        return answer

    def end(self) -> None:
        """Ends the process, whatever it is doing."""
        self._end()


def _serve(make: Callable[[], Answer], requests: Connection) -> None:
    # The parent decides when to stop, and then closes the connection.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    answer: Answer | None = None
    while True:
        try:
            request, argument = requests.recv()
        except (EOFError, OSError):
            break  # the parent has ended or closed its side
        try:
            answer = answer or make()
            requests.send(answer(request, argument))
        except UserError as fault:
            # Only the message travels: what else it holds may not be picklable.
            requests.send(portable(fault))
        except BaseException as fault:
            requests.send(NoAnswer(f"raised {type(fault).__name__}: {fault}"))


def _end(connection: Connection, process: BaseProcess) -> None:
    connection.close()
    process.join(_END_SECONDS)
    if process.is_alive():
        process.kill()
        process.join()


def _ending(exit_code: int | None) -> str:
    if exit_code is None:
        return "its connection broke"
    if exit_code < 0:
        return f"killed by {signal.Signals(-exit_code).name}"
    return f"exit code {exit_code}"
