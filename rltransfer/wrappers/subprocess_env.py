"""An environment in a process of its own, which may hang or die without the run."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeAlias, final

import gymnasium as gym
from gymnasium.envs.registration import EnvSpec
from typing_extensions import override

from rltransfer.wrappers.checked_env import CheckedEnv, Step
from rltransfer.wrappers.env_faults import Cause, env_fault, late_cause
from rltransfer.wrappers.replayable_env import EnvSnapshot, ReplayableEnv
from rltransfer.wrappers.step_timeout import START_SECONDS
from rltransfer.wrappers.worker_process import Answer, NoAnswer, WorkerProcess

MakeEnv: TypeAlias = Callable[[], gym.Env[Any, Any]]

_LATE = "has not come back"


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
        worker: where the environment is being made; by default it is started here.

    Raises:
        EnvironmentFault: names environment, step and cause.
    """

    def __init__(
        self,
        make: MakeEnv,
        name: str,
        seconds: float,
        dtype: Any = None,
        worker: WorkerProcess | None = None,
    ) -> None:
        self.name = name
        self.steps = 0
        """Taken since the environment was made."""
        self._seconds = seconds
        self._request = "start"
        self._worker = worker or _started(make, name, dtype)
        about: tuple[Any, Any, tuple[Any, Any], Any] = self._receive(
            "start", seconds + START_SECONDS
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

    @override
    def step(self, action: Any) -> Step:
        self.send_step(action)
        step: Step = self.receive()
        return step

    def send_reset(
        self, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> None:
        """Starts an episode; `receive` returns its first observation and info."""
        self._send("reset", (seed, options))

    def send_step(self, action: Any) -> None:
        """Takes one step, which `receive` returns."""
        self.steps += 1
        self._send("step", action)

    def send_snapshot(self) -> None:
        """Asks for a snapshot, which `receive` returns."""
        self._send("snapshot")

    def send_restore(self, snapshot: EnvSnapshot) -> None:
        """Steps to `snapshot` again; `receive` returns whether that succeeded."""
        self.steps = snapshot.steps
        self._send("restore", snapshot)

    def receive(self, calls: int = 1) -> Any:
        """Returns the answer to the oldest request.

        Args:
            calls: how many resets and steps it takes.
        """
        return self._receive(self._request, self._seconds * calls)

    @override
    def close(self) -> None:
        self._worker.end()

    def _send(self, request: str, argument: Any = None) -> None:
        self._request = request
        self._worker.send(request, argument)

    def _receive(self, request: str, seconds: float) -> Any:
        try:
            return self._worker.receive(seconds)
        except NoAnswer as fault:
            if _LATE in str(fault):
                cause = late_cause(request, seconds)
            else:
                cause = Cause(f"{request} {fault}", _remedy(str(fault)))
            raise env_fault(self.name, self.steps, cause) from fault


def subprocess_envs(
    make: MakeEnv, names: Sequence[str], seconds: float
) -> list[SubprocessEnv]:
    """Returns one environment for each name; they are made at the same time."""
    workers = [_started(make, name, None) for name in names]
    return [
        SubprocessEnv(make, name, seconds, worker=worker)
        for name, worker in zip(names, workers, strict=True)
    ]


def _started(make: MakeEnv, name: str, dtype: Any) -> WorkerProcess:
    worker = WorkerProcess(partial(_serving, make, name, dtype), name)
    worker.send("about")
    return worker


def _remedy(fault: str) -> str:
    if "SIGKILL" in fault:
        return "that is often a lack of memory: free some, or use fewer environments"
    if "died" in fault:
        return "--vec-env dummy shows what it prints as it ends"
    return "correct what makes it"


def _serving(make: MakeEnv, name: str, dtype: Any) -> Answer:
    env = ReplayableEnv(CheckedEnv(make(), name, dtype))

    def answer(request: str, argument: Any) -> Any:
        match request:
            case "about":
                # Not through the wrappers, which add themselves to a copy.
                spec = env.checked.env.spec
                limit = None if spec is None else spec.max_episode_steps
                own = env.declared_spaces
                return env.observation_space, env.action_space, own, limit
            case "reset":
                seed, options = argument
                return env.reset(seed=seed, options=options)
            case "step":
                return env.step(argument)
            case "snapshot":
                return env.snapshot()
            case "restore":
                return env.restore(argument)
        raise ValueError(f"unknown request {request!r}")

    return answer
