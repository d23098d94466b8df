"""Processes for whatever may hang or die without taking a run with it."""

import multiprocessing
import signal
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from typing import Any

# A plain fork would share the state of torch's threads, a fresh interpreter would
# import everything again; the fork server has imported it once and has no threads.
_CONTEXT = multiprocessing.get_context("forkserver")

pipe = _CONTEXT.Pipe


def preload(*modules: str) -> None:
    """Lets the fork server import modules once; serves if it has not started yet."""
    _CONTEXT.set_forkserver_preload(list(modules))


def start_process(
    work: Callable[..., None], *arguments: Any, name: str, daemon: bool = False
) -> BaseProcess:
    """Starts a process that never hears Ctrl-C, which reaches all of a terminal's.

    Whoever starts it decides what Ctrl-C means, and passes it on.

    Args:
        work: done there, with `arguments`.
        arguments: are pickled.
        name: of the process.
        daemon: ends with this process; must start none itself.
    """
    process = _CONTEXT.Process(
        target=_deafly, args=(work, *arguments), name=name, daemon=daemon
    )
    process.start()
    return process


def _deafly(work: Callable[..., None], *arguments: Any) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    work(*arguments)
