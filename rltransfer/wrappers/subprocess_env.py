"""An environment in a process of its own, which may hang or die alone."""

import multiprocessing
import signal
from collections.abc import Callable
from functools import partial
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from multiprocessing.util import Finalize
from typing import Any, TypeAlias, final

import gymnasium as gym
from gymnasium.envs.registration import EnvSpec

from rltransfer.errors import EnvironmentFault, UserError
from rltransfer.wrappers.step_timeout import START_SECONDS

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


Make: TypeAlias = Callable[[], gym.Env[Any, Any]]


@final
class Apart(gym.Env[Any, Any]):
    """Steps an environment that can hang or die without taking the run with it.

    Costs about a tenth of a millisecond a step.

    Args:
        make: makes it, over there; is pickled.
        name: of the process.
        seconds: longest time of one step or reset.

    Raises:
        EnvironmentFault: when made, if it cannot be.
        Lost: from `reset` and `step`, if it died or does not come back.
    """

    def __init__(self, make: Make, name: str, seconds: float) -> None:
        self._seconds = seconds
        self._worker = Worker(partial(_serving, make), name)
        self._worker.ask("about")
        try:
            about = self._worker.answer(seconds + START_SECONDS)
        except Lost as loss:
            raise EnvironmentFault(
                f"{name}: start {loss}; mend the environment"
            ) from loss
        self.observation_space, self.action_space, limit = about
        # All that is asked of a specification here; the real one may not travel.
        self.spec = EnvSpec(id="Apart-v0", max_episode_steps=limit)

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        """Starts an episode, over there."""
        self._worker.ask("reset", (seed, options))
        return self._worker.answer(self._seconds)

    def step(self, action: Any) -> Any:
        """Takes one step, over there."""
        self._worker.ask("step", action)
        return self._worker.answer(self._seconds)

    def close(self) -> None:
        """Ends the process."""
        self._worker.end()


def _serving(make: Make) -> Serve:
    env = make()

    def serve(verb: str, argument: Any) -> Any:
        match verb:
            case "about":
                spec = env.spec
                limit = None if spec is None else spec.max_episode_steps
                return env.observation_space, env.action_space, limit
            case "reset":
                seed, options = argument
                return env.reset(seed=seed, options=options)
            case "step":
                return env.step(argument)
        raise ValueError(f"unknown order {verb!r}")

    return serve
