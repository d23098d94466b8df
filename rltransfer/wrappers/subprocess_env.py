"""An environment in a process of its own, which may hang or die without the run."""

import multiprocessing
import signal
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from multiprocessing.util import Finalize
from typing import Any, TypeAlias, final

import gymnasium as gym
from gymnasium.envs.registration import EnvSpec
from typing_extensions import override

from rltransfer.errors import UserError, portable
from rltransfer.wrappers.checked_env import CheckedEnv, Step
from rltransfer.wrappers.env_faults import Cause, env_fault, late_cause
from rltransfer.wrappers.replayable_env import EnvSnapshot, ReplayableEnv
from rltransfer.wrappers.step_timeout import START_SECONDS

# A plain fork would share the state of torch's threads, a fresh interpreter would
# import everything again; the fork server has imported it once and has no threads.
_CONTEXT = multiprocessing.get_context("forkserver")

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


MakeEnv: TypeAlias = Callable[[], gym.Env[Any, Any]]


@final
class SubprocessEnv(gym.Env[Any, Any]):
    """Steps a checked, replayable environment in another process.

    Costs about a tenth of a millisecond a step. Several of them work at the same time
    where each is sent its request before the first answer is received.

    Args:
        make: makes the environment there; is pickled.
        name: what faults call it.
        seconds: longest time of one step or reset.
        dtype: of observations that are one Box; by default as the space says.
        wait: until the environment is made; else before its first use, by `wait`.

    Raises:
        EnvironmentFault: names environment, step and cause.
    """

    def __init__(
        self,
        make: MakeEnv,
        name: str,
        seconds: float,
        dtype: Any = None,
        *,
        wait: bool = True,
    ) -> None:
        self.name = name
        self.steps = 0
        """Taken since the environment was made."""
        self._seconds = seconds
        self._request = "start"
        self._ours, theirs = multiprocessing.Pipe()
        self._process = start_process(
            _serve, make, name, dtype, theirs, name=name, daemon=True
        )
        theirs.close()
        # At exit too: it ignores the signal by which Python ends its children.
        self._end = Finalize(
            self, _end, args=(self._ours, self._process), exitpriority=0
        )
        if wait:
            self.wait()

    def wait(self) -> None:
        """Waits until the environment is made, and learns its spaces."""
        about: tuple[Any, Any, tuple[Any, Any], Any] = self._receive(
            self._seconds + START_SECONDS
        )
        self.observation_space, self.action_space, self.declared_spaces, limit = about
        # All that is asked of a specification here; the real one may not travel.
        self.spec = EnvSpec(id="Subprocess-v0", max_episode_steps=limit)

    @override
    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        self.send_reset(seed, options)
        observation, info = self.receive()
        return observation, info

    def go_on(self, steps: int) -> None:
        """Counts `steps` as taken, see `CheckedEnv.go_on`."""
        self.steps = steps
        self._send("go_on", steps=steps)
        self.receive()

    @override
    def step(self, action: Any) -> Step:
        self.send_step(action)
        step: Step = self.receive()
        return step

    def send_reset(
        self, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> None:
        """Starts an episode; `receive` returns its first observation and info."""
        self._send("reset", seed=seed, options=options)

    def send_step(self, action: Any) -> None:
        """Takes one step, which `receive` returns."""
        self.steps += 1
        self._send("step", action=action)

    def send_snapshot(self) -> None:
        """Asks for a snapshot, which `receive` returns."""
        self._send("snapshot")

    def send_restore(self, snapshot: EnvSnapshot) -> None:
        """Steps to `snapshot` again; `receive` returns whether that succeeded."""
        self.steps = snapshot.steps
        self._send("restore", snapshot=snapshot)

    def receive(self, calls: int = 1) -> Any:
        """Returns the answer to the oldest request.

        Args:
            calls: how many resets and steps it takes.
        """
        return self._receive(self._seconds * calls)

    @override
    def close(self) -> None:
        self._end()

    def _send(self, request: str, **arguments: Any) -> None:
        self._request = request
        try:
            self._ours.send((request, arguments))
        except OSError:
            return  # it has died; `_receive` says why

    def _receive(self, seconds: float) -> Any:
        answer: Any
        try:
            if self._ours.poll(seconds):
                answer = self._ours.recv()
            else:
                answer = late_cause(self._request, seconds)
        except (EOFError, OSError):
            self._process.join(_END_SECONDS)
            answer = _death(self._request, self._process.exitcode)
        if isinstance(answer, Cause):
            raise env_fault(self.name, self.steps, answer)
        if isinstance(answer, UserError):
            raise answer
        return answer


def subprocess_envs(
    make: MakeEnv, names: Sequence[str], seconds: float
) -> list[SubprocessEnv]:
    """Returns one environment for each name; they are made at the same time."""
    envs = [SubprocessEnv(make, name, seconds, wait=False) for name in names]
    for env in envs:
        env.wait()
    return envs


def _serve(make: MakeEnv, name: str, dtype: Any, requests: Connection) -> None:
    """Makes the environment, then answers requests in order: calls of its methods."""
    # The parent decides when to stop, and then closes the connection.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    env: ReplayableEnv | None = None
    request = "start"
    arguments: dict[str, Any] = {}
    while True:
        try:
            if env is None:
                env = ReplayableEnv(CheckedEnv(make(), name, dtype))
                requests.send(_about(env))
            else:
                requests.send(getattr(env, request)(**arguments))
        except UserError as fault:
            # Only the message travels: what else it holds may not be picklable.
            requests.send(portable(fault))
        except BaseException as fault:
            what = f"{request} raised {type(fault).__name__}: {fault}"
            requests.send(Cause(what, "correct what makes it"))
        try:
            request, arguments = requests.recv()
        except (EOFError, OSError):
            return  # the parent has ended or closed its side


def _about(env: ReplayableEnv) -> tuple[Any, ...]:
    # Not through the wrappers, which add themselves to a copy.
    spec = env.checked.env.spec
    limit = None if spec is None else spec.max_episode_steps
    return env.observation_space, env.action_space, env.declared_spaces, limit


def _end(connection: Connection, process: BaseProcess) -> None:
    connection.close()
    process.join(_END_SECONDS)
    if process.is_alive():
        process.kill()
        process.join()


def _death(request: str, exit_code: int | None) -> Cause:
    ending = f"exit code {exit_code}"
    remedy = "--vec-env dummy shows what it prints as it ends"
    if exit_code is None:
        ending = "its connection broke"
    elif exit_code < 0:
        ending = f"killed by {signal.Signals(-exit_code).name}"
    if exit_code == -signal.SIGKILL:
        remedy = "that is often a lack of memory: free some, or use fewer environments"
    return Cause(f"{request} died: {ending}", remedy)
