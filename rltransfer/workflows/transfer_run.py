"""Running a transfer, or going on with one: from its request to its folder."""

import shutil
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

from rltransfer.alignment import Alignment, align
from rltransfer.argument_checks import EPISODE_CAP, STEP_SECONDS, VecEnv
from rltransfer.errors import InputError
from rltransfer.evaluation import ReturnSummary
from rltransfer.io import MANIFEST_NAME, locked, next_run_folder, require_writable
from rltransfer.io.atomic_files import storage_faults
from rltransfer.resume.replay_log import ReplayLog, is_replay_log, remove_replay_log
from rltransfer.resume.stop_signals import StopSignals, resumable, resume_command
from rltransfer.translation.altered_translations import Alter
from rltransfer.workflows.environments import Stepping
from rltransfer.workflows.finished_transfer import FinishedTransfer
from rltransfer.workflows.improvement import learn_on_from
from rltransfer.workflows.opened_transfer import OpenedTransfer, opened_transfer
from rltransfer.workflows.progress_bars import alignment_progress
from rltransfer.workflows.recorded_transfer import (
    interrupted_request,
    recorded_request,
    replay_log_folder,
    require_transfer,
)
from rltransfer.workflows.transfer_folder import (
    AlignedSource,
    weakness,
    write_transfer,
)
from rltransfer.workflows.transfer_report import own_and_random, reported
from rltransfer.workflows.transfer_request import TransferRequest
from rltransfer.workflows.transfer_result import TransferResult
from rltransfer.wrappers import StepTimeout
from rltransfer_agents.training.training_run import isolated


def run_transfer(request: TransferRequest) -> TransferResult:
    """Aligns the sources with the target, keeps the best and reports on it."""
    # One thread: on small networks more of them wait for one another, above all where
    # the machine has other work.
    with isolated():
        require_writable(request.log_folder)
        # Before there is a folder, so that wrong input leaves nothing behind.
        with opened_transfer(request) as opened:
            env_id = request.target.env_id
            folder = next_run_folder(request.log_folder, "transfer", env_id)
            with locked(folder), _resumable(folder, request):
                return _transfer(request, opened, folder)


def resume_transfer(
    folder: str | Path,
    *,
    environments: Collection[str] = (),
    progress: bool = False,
    vec_env: VecEnv = "dummy",
    step_seconds: float = STEP_SECONDS,
    episode_cap: int = EPISODE_CAP,
    handle_signals: bool = False,
) -> TransferResult | FinishedTransfer:
    """Goes on with an interrupted transfer; returns a finished one as it is.

    No target step that was written down is taken again. With the same versions on the
    same machine the result is that of a run that was never interrupted, bit for bit;
    where that is in doubt, the record says `approximate` and why.

    Args:
        folder: of the run.
        environments: ids that the user named: what a file may not import by itself.
        progress: whether to show it.
        vec_env: as for `transfer`; need not be that of before.
        step_seconds: likewise.
        episode_cap: likewise.
        handle_signals: likewise.
    """
    folder = Path(folder)
    stepping = Stepping(vec_env, step_seconds, episode_cap)
    require_transfer(folder)
    with isolated(), locked(folder):
        if (folder / MANIFEST_NAME).exists():
            remove_replay_log(replay_log_folder(folder))
            return FinishedTransfer.at(folder)
        request = replace(
            interrupted_request(folder, environments),
            progress=progress,
            stepping=stepping,
            handle_signals=handle_signals,
        )
        with _resumable(folder, request), opened_transfer(request) as opened:
            return _transfer(request, opened, folder)


@contextmanager
def _resumable(folder: Path, request: TransferRequest) -> Iterator[None]:
    """Adds to what ends a run before its end how to go on with it."""

    def command() -> str | None:
        finished = (folder / MANIFEST_NAME).is_file()
        if not finished and not is_replay_log(replay_log_folder(folder)):
            return None
        # What has to be typed again: no file may import a module.
        named = [*request.source_environments, request.target.env_id]
        kwargs = [*request.source_kwargs.values(), *request.target.kwargs.values()]
        return resume_command("transfer", folder, [*named, *kwargs])

    with resumable(command, request.handle_signals):
        yield


def _transfer(
    request: TransferRequest, opened: OpenedTransfer, folder: Path
) -> TransferResult:
    began = time.monotonic()
    sources, target, target_log = opened.sources, opened.target, opened.target_log
    # Acting comes to its end first; a second signal stops at once in any case, since an
    # environment may hang.
    signals = StopSignals(1, lambda: not replay_log.acting, request.handle_signals)
    replay_log = ReplayLog(
        replay_log_folder(folder),
        recorded_request(
            request,
            [one.loaded for one in sources],
            target_log,
            [one.log for one in sources] if request.source_data else [],
        ),
        signals.check,
    )
    with signals:
        with StepTimeout(request.stepping.step_seconds).active() as timeout:
            domains = [target, *(one.source.domain for one in sources)]
            for number, domain in enumerate(domains):
                role = f"source {number}" if number else "target"
                domain.use_replay_log(replay_log, role)
                domain.use_timeout(timeout)
            if request.untouched:
                del domains[0]
            ignored = {one.name: one.ignores_seeds(request.seed) for one in domains}
            at_home = _at_home(request, opened, folder)
            logs = request.tensorboard_folder or folder / "tensorboard"
            shown = request.budget, request.progress
            with alignment_progress(*shown, logs, folder) as watch:
                alignment = align(
                    [one.source for one in sources],
                    target,
                    request.align_config(),
                    watch,
                    target_log and target_log.transitions,
                )
                if request.alter is not None:
                    alignment = _altered(alignment, request.alter)
                improvement = None
                if request.learning is not None:
                    improvement = learn_on_from(request, alignment, watch)
                    alignment = improvement.tested(alignment)
                    improvement.write(request, folder)
            aligned = _aligned(opened, at_home, alignment)
            result = replace(
                reported(request, alignment, aligned, target_log, improvement, folder),
                resumed=replay_log.resumed,
                reproducibility_warnings=replay_log.reproducibility_warnings,
                steps_taken_again=replay_log.interrupted_steps.get("target", 0),
                seconds=time.monotonic() - began,
                seeds_ignored=tuple(filter(ignored.get, ignored)),
            )
        if improvement is not None:
            alignment = improvement.kept(alignment)
        result = write_transfer(request, alignment, aligned, target_log, result)
        # Only now: without it a run that has no manifest starts again from nothing.
        remove_replay_log(replay_log_folder(folder))
    return result


_AtHome: TypeAlias = tuple[ReturnSummary, ReturnSummary]
"""What a source earns in its own environment, and what random actions do there."""


def _at_home(
    request: TransferRequest, opened: OpenedTransfer, folder: Path
) -> list[_AtHome]:
    """Returns the figures of every source, unless one is no better than random."""
    at_home = [
        own_and_random(request, one.source.domain, one.loaded.policy, "home actions")
        for one in opened.sources
    ]
    weak = _weaknesses(opened, at_home)
    if any(weak) and not request.weak_source:
        with storage_faults(folder):
            shutil.rmtree(folder)  # nothing is kept of wrong input
        first = next(filter(None, weak))
        raise InputError(f"{first}; --weak-source transfers it all the same")
    return at_home


def _weaknesses(opened: OpenedTransfer, at_home: list[_AtHome]) -> list[str | None]:
    return [
        weakness(one.loaded, *figures)
        for one, figures in zip(opened.sources, at_home, strict=True)
    ]


def _aligned(
    opened: OpenedTransfer, at_home: list[_AtHome], alignment: Alignment
) -> list[AlignedSource]:
    """Returns what is known of every source, in their order."""
    return [
        AlignedSource(
            one.loaded,
            (*filter(None, [fault]), *one.notes, *one.cache.notes),
            *figures,
            evidence,
            one.log,
        )
        for one, fault, figures, evidence in zip(
            opened.sources,
            _weaknesses(opened, at_home),
            at_home,
            alignment.sources,
            strict=True,
        )
    ]


def _altered(alignment: Alignment, alter: Alter) -> Alignment:
    policy = alter(alignment.lead, alignment.target)
    return replace(alignment, chosen=replace(alignment.chosen, policy=policy))
