"""Several trainings side by side, each in a process of its own."""

import signal
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import final

from rltransfer.errors import Stopped, UserError
from rltransfer_agents.training.config import Progress, TrainConfig, TrainedRun, Watch
from rltransfer_agents.training.processes import pipe, start_process
from rltransfer_agents.training.session import train_source
from rltransfer_agents.training.stopping import stop_requests

# A signal wakes the wait by itself only where it reaches the main thread.
_LOOK_UP_SECONDS = 0.2


@final
class TrainingFault(RuntimeError):
    """A training ended with a fault of the program; holds the child's traceback."""


@final
@dataclass(frozen=True)
class _Fault:
    """An exception on its way out of a child."""

    error: UserError | None
    text: str


def train_sources(
    configs: Sequence[TrainConfig], watch: Watch | None = None
) -> list[TrainedRun]:
    """Trains all agents at the same time and returns their runs in order.

    A training that fails does not end the others: the error of the first that failed
    is raised when all have ended. Being asked to stop is passed on to all of them.

    Args:
        configs: one for each agent. A single one is trained in this process.
        watch: told now and then how far each training has come.

    Raises:
        UserError: of the first training that failed; the message names it.
        TrainingFault: with the traceback, for faults that no user caused.
    """
    if len(configs) == 1:
        return [train_source(configs[0], watch)]
    with stop_requests() as stop:
        children = [_Child(config) for config in configs]
        passed_on = 0
        while waiting := [child for child in children if not child.ended]:
            wait([child.answers for child in waiting], _LOOK_UP_SECONDS)
            for child in waiting:
                child.listen(watch)
            while passed_on < stop.count:
                passed_on += 1
                for child in waiting:
                    child.ask_to_stop()
    for child in children:
        child.raise_fault()
    return [child.run for child in children if child.run is not None]


@final
class _Child:
    """One training in a process of its own."""

    def __init__(self, config: TrainConfig) -> None:
        self.answers, theirs = pipe(duplex=False)
        self._config = config
        self._fault: _Fault | None = None
        self.run: TrainedRun | None = None
        self._process = start_process(
            _train, config, theirs, name=f"train {config.env_id}"
        )
        theirs.close()

    @property
    def ended(self) -> bool:
        return self.run is not None or self._fault is not None

    def listen(self, watch: Watch | None) -> None:
        try:
            while not self.ended and self.answers.poll():
                self._take(self.answers.recv(), watch)
        except EOFError:
            self._process.join()
            self._fault = self._death()
        if self.ended:
            self._process.join()

    def ask_to_stop(self) -> None:
        if self._process.is_alive() and self._process.pid is not None:
            self._process.terminate()

    def raise_fault(self) -> None:
        if self._fault is None:
            return
        if self._fault.error is not None:
            raise self._fault.error
        config = self._config
        raise TrainingFault(
            f"training {config.algorithm} in {config.env_id} {self._fault.text}"
        )

    def _death(self) -> _Fault:
        code = self._process.exitcode
        if code == -signal.SIGTERM:
            # So early that it had not begun to note signals.
            return _Fault(Stopped(f"{self._config.env_id}: stopped before step 1"), "")
        return _Fault(None, f"died with exit code {code}")

    def _take(
        self, answer: Progress | TrainedRun | _Fault, watch: Watch | None
    ) -> None:
        match answer:
            case Progress():
                if watch is not None:
                    watch(answer)
            case TrainedRun():
                self.run = answer
            case _Fault():
                self._fault = answer


def _train(config: TrainConfig, answers: Connection) -> None:
    try:
        answers.send(train_source(config, answers.send))
    except UserError as error:
        answers.send(_Fault(_named(error, config), ""))
    except BaseException:
        answers.send(_Fault(None, f"failed:\n{traceback.format_exc()}"))
    finally:
        answers.close()


def _named(error: UserError, config: TrainConfig) -> UserError:
    # Only the message travels: what else an exception holds may not be picklable.
    text = str(error)
    named = text if config.env_id in text else f"{config.env_id}: {text}"
    return type(error)(named)
