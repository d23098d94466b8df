"""Something that answers, in a process of its own, which may hang or die alone."""

import signal
from collections.abc import Callable
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from multiprocessing.util import Finalize
from typing import Any, TypeAlias, final

from rltransfer.border.processes import pipe, start_process
from rltransfer.errors import UserError

Serve: TypeAlias = Callable[[str, Any], Any]
"""Answers a verb and its argument."""

_END_SECONDS = 1.0


class Lost(Exception):
    """No answer will come; the message says why, without naming who was asked."""


@final
class Worker:
    """This side of the process.

    Args:
        make: makes what answers, over there; is pickled.
        name: of the process.
    """

    def __init__(self, make: Callable[[], Serve], name: str) -> None:
        self._ours, theirs = pipe()
        self._process = start_process(_work, make, theirs, name=name, daemon=True)
        theirs.close()
        # At exit too: it is deaf to the signal by which Python ends its children.
        self._end = Finalize(
            self, _end, args=(self._ours, self._process), exitpriority=0
        )

    def ask(self, verb: str, argument: Any = None) -> None:
        """Asks without waiting for the answer."""
        try:
            self._ours.send((verb, argument))
        except OSError:
            # It is dead; why is said when its answer is asked for.
            return

    def answer(self, seconds: float) -> Any:
        """Returns the answer to the oldest question.

        Raises:
            Lost: it died, raised something, or did not answer for `seconds`.
            UserError: as it was raised over there.
        """
        try:
            if not self._ours.poll(seconds):
                raise Lost(f"has not come back for {seconds:g} s")
            answer = self._ours.recv()
        except (EOFError, OSError):
            self._process.join(_END_SECONDS)
            raise Lost(f"died: {_ending(self._process.exitcode)}") from None
        if isinstance(answer, UserError | Lost):
            raise answer
        return answer

    def end(self) -> None:
        """Ends the process, whatever it is doing."""
        self._end()


def _work(make: Callable[[], Serve], orders: Connection) -> None:
    # Whoever asks decides when to stop, and then closes the connection.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    serve: Serve | None = None
    while True:
        try:
            verb, argument = orders.recv()
        except (EOFError, OSError):
            break  # nobody asks any more
        try:
            serve = serve or make()
            orders.send(serve(verb, argument))
        except UserError as fault:
            # Only the message travels: what else it holds may not be picklable.
            orders.send(type(fault)(str(fault)))
        except BaseException as fault:
            # The same: what may travel is words.
            orders.send(Lost(f"raised {type(fault).__name__}: {fault}"))


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
