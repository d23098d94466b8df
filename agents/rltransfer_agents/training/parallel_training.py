"""Several trainings side by side, each in a process of its own."""

import os
import signal
import traceback
from collections import deque
from collections.abc import Callable, Collection, Sequence
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

AT_ONCE = max(2, os.cpu_count() or 1)
"""Trainings at the same time, unless more or fewer are asked for."""

# A signal wakes the wait by itself only where it reaches the main thread.
_LOOK_UP_SECONDS = 0.2


@final
class TrainingFault(RuntimeError):
    """A training ended with a fault of the program; holds the child's traceback."""


def train_sources(
    configs: Sequence[TrainConfig],
    watch: Watch | None = None,
    at_once: int = AT_ONCE,
) -> list[TrainedRun]:
    """Trains all agents side by side and returns their runs in order.

    A training that fails does not end the others: the first error is raised when all
    have ended. Being asked to stop is passed on to all of them.

    Args:
        configs: one for each agent. A single one is trained in this process.
        watch: called now and then with how far each training has come.
        at_once: most trainings at the same time.

    Raises:
        UserError: of the first training that failed; the message names it.
        TrainingFault: with the traceback, for faults that no user caused.
    """
    require_different(configs)
    jobs = [
        (training_name(config), partial(train_source, config)) for config in configs
    ]
    return _side_by_side(jobs, watch, at_once)


def training_name(config: TrainConfig) -> str:
    """Returns what errors call a training; the environment comes last."""
    return f"{config.algorithm}, seed {config.seed}, in {config.env_id}"


def require_different(configs: Sequence[TrainConfig]) -> None:
    """Raises where a training is asked for twice."""
    alike: dict[tuple[str, int], list[TrainConfig]] = {}
    for config in configs:
        known = alike.setdefault((config.env_id, config.seed), [])
        if config in known:
            raise InputError(
                f"each training is asked for once, got {config.algorithm} in "
                f"{config.env_id} with seed {config.seed} twice; drop one of them"
            )
        known.append(config)


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
        (str(folder), partial(resume_source, folder, typed=typed)) for folder in folders
    ]
    return _side_by_side(jobs, watch, AT_ONCE)


def _side_by_side(
    jobs: Sequence[tuple[str, Work]], watch: Watch | None, at_once: int
) -> list[TrainedRun]:
    """Does all work side by side; errors call it by the names in front of it."""
    if len(jobs) == 1:
        return [jobs[0][1](watch)]
    with StopSignals(patience=2) as stop:
        waiting, running = deque(enumerate(jobs)), dict[int, _Child]()
        ended: dict[int, TrainedRun | Exception] = {}
        passed_on = 0
        while waiting or running:
            while waiting and (stop.asked or len(running) < at_once):
                place, (name, work) = waiting.popleft()
                if stop.asked:
                    ended[place] = Stopped(f"{name}: stopped before it began")
                else:
                    running[place] = _Child(name, work)
            wait([child.answers for child in running.values()], _LOOK_UP_SECONDS)
            for place, child in [*running.items()]:
                child.listen(watch)
                if child.result is not None:
                    ended[place] = child.result
                    del running[place]
            while passed_on < stop.count:
                passed_on += 1
                for child in running.values():
                    child.ask_to_stop()
    return sorted_out([ended[place] for place in range(len(jobs))])


def sorted_out(results: Sequence[TrainedRun | Exception]) -> list[TrainedRun]:
    """Returns what trainings ended with, or raises the first error among it.

    Raises:
        Stopped: all errors are that, and are told together.
    """
    faults = [result for result in results if isinstance(result, Exception)]
    others = [fault for fault in faults if not isinstance(fault, Stopped)]
    if others:
        raise others[0]
    if faults:
        raise Stopped("; ".join(map(str, faults)))
    return [result for result in results if isinstance(result, TrainedRun)]


@final
class _Child:
    """One training in a process of its own."""

    def __init__(self, name: str, work: Work) -> None:
        self._name = name
        self.result: TrainedRun | Exception | None = None
        """What it ended with, once it has."""
        self.answers, theirs = Pipe(duplex=False)
        self._process = start_process(_do, work, name, theirs, name=name)
        theirs.close()

    def listen(self, watch: Watch | None) -> None:
        try:
            while self.result is None and self.answers.poll():
                answer = self.answers.recv()
                if not isinstance(answer, Progress):
                    self.result = answer
                elif watch is not None:
                    watch(answer)
        except EOFError:
            self._process.join()
            self.result = self._death()
        if self.result is not None:
            self._process.join()

    def ask_to_stop(self) -> None:
        if self._process.is_alive():
            self._process.terminate()

    def _death(self) -> Exception:
        code = self._process.exitcode
        if code == -signal.SIGTERM:
            # So early that it had not begun to note signals.
            return Stopped(f"{self._name}: stopped before it began")
        return TrainingFault(f"training {self._name} died with exit code {code}")


def _do(work: Work, name: str, answers: Connection) -> None:
    with answers:
        try:
            answers.send(work(answers.send))
        except UserError as error:
            text = str(error)
            is_named = name.rpartition(" ")[2] in text
            answers.send(portable(error, text if is_named else f"{name}: {text}"))
        except BaseException as fault:
            text = traceback.format_exc()
            last = text.strip().rpartition("\n")[2]
            failure = TrainingFault(f"training {name} failed: {last}\n{text}")
            set_run_folder(failure, run_folder_of(fault))
            answers.send(failure)
