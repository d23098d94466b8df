"""Environments in processes of their own."""

import signal
import traceback
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from typing import Any, TypeAlias, final

import gymnasium as gym
from gymnasium import spaces
from numpy.typing import NDArray
from typing_extensions import override

from rltransfer.errors import EnvironmentFault
from rltransfer_agents.training.environments.place import Place, Step
from rltransfer_agents.training.environments.seat import Moment, Seat
from rltransfer_agents.training.processes import pipe, start_process

Make: TypeAlias = Callable[[], gym.Env[Any, Any]]

_START_SECONDS = 60.0


@final
class Apart(Place):
    """Environments that can hang or die without taking the training with them.

    Args:
        make: makes an environment; is pickled on its way to another process.
        names: what errors call each of them.
        seconds: longest time of one step or reset.
    """

    def __init__(self, make: Make, names: Sequence[str], seconds: float) -> None:
        self._workers = [_Worker(make, name) for name in names]
        self._seconds = seconds
        for worker in self._workers:
            worker.ask("spaces")
        found = [worker.answer(seconds + _START_SECONDS) for worker in self._workers]
        self._spaces: tuple[spaces.Space[Any], spaces.Space[Any]] = found[0]

    @property
    @override
    def count(self) -> int:
        return len(self._workers)

    @property
    @override
    def observation_space(self) -> spaces.Space[Any]:
        return self._spaces[0]

    @property
    @override
    def action_space(self) -> spaces.Space[Any]:
        return self._spaces[1]

    @override
    def reset(
        self, which: Sequence[int], seeds: Sequence[int | None]
    ) -> list[NDArray[Any]]:
        return self._all("reset", which, seeds)

    @override
    def step(self, which: Sequence[int], actions: Sequence[Any]) -> list[Step]:
        return self._all("step", which, actions)

    @override
    def moments(self) -> list[Moment]:
        everyone = range(self.count)
        return self._all("moment", everyone, [None] * self.count)

    @override
    def go_to(self, moments: Sequence[Moment]) -> bool:
        return all(self._all("go_to", range(self.count), moments))

    @override
    def close(self) -> None:
        for worker in self._workers:
            worker.end()

    def _all(
        self, verb: str, which: Sequence[int], arguments: Sequence[Any]
    ) -> list[Any]:
        for index, argument in zip(which, arguments, strict=True):
            self._workers[index].ask(verb, argument)
        return [self._workers[index].answer(self._seconds) for index in which]


@final
class _Worker:
    """This side of one process."""

    def __init__(self, make: Make, name: str) -> None:
        self._ours, theirs = pipe()
        self._name = name
        self._process = start_process(_work, make, name, theirs, name=name, daemon=True)
        theirs.close()

    def ask(self, verb: str, argument: Any = None) -> None:
        try:
            self._ours.send((verb, argument))
        except OSError:
            # It is dead; why is said when its answer is asked for.
            return

    def answer(self, seconds: float) -> Any:
        try:
            if not self._ours.poll(seconds):
                raise self._fault(f"has not come back for {seconds:g} s")
            answer = self._ours.recv()
        except (EOFError, OSError):
            self._process.join(1)
            raise self._fault(f"died with exit code {self._process.exitcode}") from None
        if isinstance(answer, Exception):
            raise answer
        return answer

    def end(self) -> None:
        self._ours.close()
        self._process.join(1)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()

    def _fault(self, what: str) -> EnvironmentFault:
        return EnvironmentFault(
            f"{self._name}: its process {what}; mend the environment, then --resume"
        )


def _work(make: Make, name: str, orders: Connection) -> None:
    # The training decides when to stop and then closes the connection.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    seat = None
    while True:
        try:
            verb, argument = orders.recv()
        except EOFError:
            break
        try:
            seat = seat or Seat(make, name)
            orders.send(_done(seat, verb, argument))
        except EnvironmentFault as fault:
            orders.send(EnvironmentFault(str(fault)))
        except Exception:
            orders.send(RuntimeError(f"{name} failed:\n{traceback.format_exc()}"))
    if seat is not None:
        seat.env.close()


def _done(seat: Seat, verb: str, argument: Any) -> Any:
    match verb:
        case "spaces":
            return seat.env.observation_space, seat.env.action_space
        case "reset":
            return seat.reset(argument)
        case "step":
            return seat.step(argument)
        case "moment":
            return seat.moment()
        case "go_to":
            return seat.go_to(argument)
    raise ValueError(f"unknown order {verb!r}")
