"""Several trainings side by side, each in a process of its own."""

import signal
import traceback
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection, Pipe, wait
from pathlib import Path
from typing import TypeAlias, final

from rltransfer.errors import (
    InputError,
    Stopped,
    UserError,
    portable,
    run_folder_of,
    set_run_folder,
)
from rltransfer.resume.stop_signals import StopSignals
from rltransfer.wrappers.subprocess_env import preload, start_process
from rltransfer_agents.training.train_config import (
    Progress,
    TrainConfig,
    TrainedRun,
    Watch,
)
from rltransfer_agents.training.training_run import resume_source, train_source

# The fork server imports what every training needs once.
preload("rltransfer_agents.training")

Work: TypeAlias = Callable[[Watch | None], TrainedRun]

# A signal wakes the wait by itself only where it reaches the main thread.
_LOOK_UP_SECONDS = 0.2


@final
class TrainingFault(RuntimeError):
    """A training ended with a fault of the program; holds the child's traceback."""


def train_sources(
    configs: Sequence[TrainConfig], watch: Watch | None = None
) -> list[TrainedRun]:
    """Trains all agents at the same time and returns their runs in order.

    A training that fails does not end the others: the first error is raised when all
    have ended. Being asked to stop is passed on to all of them.

    Args:
        configs: one for each agent. A single one is trained in this process.
        watch: called now and then with how far each training has come.

    Raises:
        UserError: of the first training that failed; the message names it.
        TrainingFault: with the traceback, for faults that no user caused.
    """
    for place, config in enumerate(configs):
        if config in configs[:place]:
            raise InputError(
                f"each training is asked for once, got {config.algorithm} in "
                f"{config.env_id} with seed {config.seed} twice; drop one of them"
            )
    jobs = [
        _Job(f"{config.algorithm} in {config.env_id}", partial(train_source, config))
        for config in configs
    ]
    return _side_by_side(jobs, watch)


def resume_sources(
    folders: Sequence[Path], watch: Watch | None = None, typed: Collection[str] = ()
) -> list[TrainedRun]:
    """Goes on with interrupted trainings at the same time, as `train_sources` does.

    Args:
        folders: of the runs. A single one goes on in this process.
        watch: called now and then with how far each training has come.
        typed: environments that the user named: what a file may not import by itself.
    """
    jobs = [
        _Job(str(folder), partial(resume_source, folder, typed=typed))
        for folder in folders
    ]
    return _side_by_side(jobs, watch)


@final
@dataclass(frozen=True)
class _Job:
    """A training, and what errors call it."""

    name: str
    work: Work


@final
@dataclass(frozen=True)
class _Fault:
    """An exception on its way out of a child."""

    error: UserError | None
    text: str = ""
    """The traceback of what is no error of a user."""
    folder: Path | None = None
    """Of the run."""


def _side_by_side(jobs: Sequence[_Job], watch: Watch | None) -> list[TrainedRun]:
    if len(jobs) == 1:
        return [jobs[0].work(watch)]
    with StopSignals(patience=2) as stop:
        children = [_Child(job) for job in jobs]
        passed_on = 0
        while waiting := [child for child in children if not child.ended]:
            wait([child.answers for child in waiting], _LOOK_UP_SECONDS)
            for child in waiting:
                child.listen(watch)
            while passed_on < stop.count:
                passed_on += 1
                for child in waiting:
                    child.ask_to_stop()
    faults = [child.fault for child in children if child.fault is not None]
    stopped = [fault for fault in faults if isinstance(fault, Stopped)]
    if faults and len(stopped) == len(faults):
        raise Stopped("; ".join(str(fault) for fault in stopped))
    for fault in faults:
        if not isinstance(fault, Stopped):
            raise fault
    return [child.run for child in children if child.run is not None]


@final
class _Child:
    """One training in a process of its own."""

    def __init__(self, job: _Job) -> None:
        self._name = job.name
        self.run: TrainedRun | None = None
        self.fault: UserError | TrainingFault | None = None
        self.answers, theirs = Pipe(duplex=False)
        self._process = start_process(_do, job.work, job.name, theirs, name=job.name)
        theirs.close()

    @property
    def ended(self) -> bool:
        return self.run is not None or self.fault is not None

    def listen(self, watch: Watch | None) -> None:
        try:
            while not self.ended and self.answers.poll():
                self._take(self.answers.recv(), watch)
        except EOFError:
            self._process.join()
            self.fault = self._death()
        if self.ended:
            self._process.join()

    def ask_to_stop(self) -> None:
        if self._process.is_alive():
            self._process.terminate()

    def _death(self) -> UserError | TrainingFault:
        code = self._process.exitcode
        if code == -signal.SIGTERM:
            # So early that it had not begun to note signals.
            return Stopped(f"{self._name}: stopped before it began")
        return TrainingFault(f"training {self._name} died with exit code {code}")

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
                self.fault = answer.error or self._failure(answer)

    def _failure(self, fault: _Fault) -> TrainingFault:
        last = fault.text.strip().rpartition("\n")[2]
        failure = TrainingFault(f"training {self._name} failed: {last}\n{fault.text}")
        set_run_folder(failure, fault.folder)
        return failure


def _do(work: Work, name: str, answers: Connection) -> None:
    try:
        answers.send(work(answers.send))
    except UserError as error:
        answers.send(_Fault(portable(error, _named(str(error), name))))
    except BaseException as fault:
        answers.send(_Fault(None, traceback.format_exc(), run_folder_of(fault)))
    finally:
        answers.close()


def _named(text: str, name: str) -> str:
    return text if name.rpartition(" ")[2] in text else f"{name}: {text}"
