"""Running a transfer, or going on with one: from its request to its folder."""

import shutil
import time
from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import final

from rltransfer.alignment import Source, align_each, require_budget
from rltransfer.argument_checks import (
    EPISODE_CAP,
    STEP_SECONDS,
    VecEnv,
)
from rltransfer.domain import Domain, Policy, StickyRandomPolicy
from rltransfer.errors import InputError
from rltransfer.evaluation import ReturnSummary, summarise
from rltransfer.io import MANIFEST_NAME, locked, next_run_folder, require_writable
from rltransfer.io.atomic_files import storage_faults
from rltransfer.resume.replay_log import ReplayLog, is_replay_log, remove_replay_log
from rltransfer.resume.stop_signals import StopSignals, resumable, resume_command
from rltransfer.workflows.environments import (
    Stepping,
    domain_of,
)
from rltransfer.workflows.policy_loading import (
    environment_of,
    load_agent,
    opened_home,
)
from rltransfer.workflows.progress_bars import AlignmentProgress
from rltransfer.workflows.transfer_folder import AlignedSource, AtHome, write_transfer
from rltransfer.workflows.transfer_request import (
    TransferRequest,
    interrupted_request,
    recorded_request,
    replay_log_folder,
    require_transfer,
)
from rltransfer.workflows.transfer_result import FinishedTransfer, TransferResult
from rltransfer.wrappers import StepBudget, StepTimeout
from rltransfer_agents.loading import LoadedPolicy
from rltransfer_agents.training.training_run import isolated


def run_transfer(
    request: TransferRequest, *, handle_signals: bool = False
) -> TransferResult:
    """Aligns every source with the target, keeps the best and reports on it.

    Args:
        request: what to do.
        handle_signals: whether SIGINT and SIGTERM end the run where nothing that was
            acted is lost; otherwise they do what they do elsewhere.
    """
    # One thread: on small networks more of them wait for one another, above all where
    # the machine has other work.
    with isolated():
        require_writable(request.log_folder)
        # Before there is a folder, so that wrong input leaves nothing behind.
        with _opened_pairs(request) as pairs:
            env_id = request.target.env_id
            folder = next_run_folder(request.log_folder, "transfer", env_id)
            with locked(folder), _resumable(folder, request, handle_signals):
                return _transfer(request, pairs, folder, handle_signals)


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
        handle_signals: as for `run_transfer`.
    """
    folder = Path(folder)
    stepping = Stepping(vec_env, step_seconds, episode_cap)
    require_transfer(folder)
    with isolated(), locked(folder):
        if (folder / MANIFEST_NAME).exists():
            remove_replay_log(replay_log_folder(folder))
            return FinishedTransfer.at(folder)
        request = interrupted_request(folder, progress, stepping, environments)
        with (
            _resumable(folder, request, handle_signals),
            _opened_pairs(request) as pairs,
        ):
            return _transfer(request, pairs, folder, handle_signals)


@contextmanager
def _resumable(
    folder: Path, request: TransferRequest, handle_signals: bool
) -> Iterator[None]:
    """Adds to what ends a run before its end how to go on with it."""

    def command() -> str | None:
        finished = (folder / MANIFEST_NAME).is_file()
        if not finished and not is_replay_log(replay_log_folder(folder)):
            return None
        # What has to be typed again: no file may import a module.
        named = [*request.source_environments, request.target.env_id]
        kwargs = [*request.source_kwargs.values(), *request.target.kwargs.values()]
        return resume_command("transfer", folder, [*named, *kwargs])

    with resumable(command, handle_signals):
        yield


@final
@dataclass(frozen=True, eq=False)
class _Pair:
    """A source, and the target with the source's own share of the budget."""

    loaded: LoadedPolicy
    notes: tuple[str, ...]
    source: Source
    target: Domain


@contextmanager
def _opened_pairs(request: TransferRequest) -> Iterator[list[_Pair]]:
    """Opens every source with a target of its own, or raises; closes them after."""
    with ExitStack() as stack:
        yield [_pair(request, place, stack) for place in range(len(request.sources))]


def _pair(request: TransferRequest, place: int, stack: ExitStack) -> _Pair:
    loaded = load_agent(
        request.sources[place],
        env=request.source_environment(place),
        env_kwargs=request.source_kwargs,
        sha256=request.digest(place),
        statistics=request.statistics_of(place),
    )
    domain, notes = stack.enter_context(
        opened_home(loaded, request.stepping, kwargs_option="--source-kwargs")
    )
    budget = StepBudget(request.share)
    option = "--target-kwargs"
    target = domain_of(request.target, request.stepping, budget, kwargs_option=option)
    stack.callback(target.close)
    require_budget(target)
    return _Pair(
        loaded,
        (*loaded.notes, *notes),
        Source(domain, loaded.policy, loaded.title),
        target,
    )


def _transfer(
    request: TransferRequest, pairs: list[_Pair], folder: Path, handle_signals: bool
) -> TransferResult:
    began = time.monotonic()
    # Acting comes to its end first; a second signal stops at once in any case, since an
    # environment may hang.
    signals = StopSignals(1, lambda: not replay_log.acting, handle_signals)
    replay_log = ReplayLog(
        replay_log_folder(folder),
        recorded_request(request, [pair.loaded for pair in pairs]),
        signals.check,
    )
    timeout = StepTimeout(request.stepping.step_seconds)
    with signals:
        with timeout.active():
            for number, pair in enumerate(pairs, 1):
                pair.source.domain.use_replay_log(replay_log, f"source {number}")
                pair.target.use_replay_log(replay_log, "target")
                for domain in (pair.source.domain, pair.target):
                    domain.use_timeout(timeout)
            seeds_ignored = _seeds_ignored(pairs, request.seed)
            at_home = [_measured_at_home(request, pair) for pair in pairs]
            weak = [measured.warning for measured in at_home if measured.warning]
            if weak and not request.weak_source:
                with storage_faults(folder):
                    shutil.rmtree(folder)  # nothing is kept of wrong input
                raise InputError(f"{weak[0]}; --weak-source transfers it all the same")
            aligned = _aligned(request, pairs, at_home, folder)
            best = min(aligned, key=lambda one: one.rank)
            result = _reported(request, folder, aligned, best, began, replay_log)
            result = replace(result, seeds_ignored=seeds_ignored)
        write_transfer(request, best, result)
        # Only now: without it a run that has no manifest starts again from nothing.
        remove_replay_log(replay_log_folder(folder))
    return result


def _seeds_ignored(pairs: list[_Pair], seed: int) -> tuple[str, ...]:
    domains = [pairs[0].target, *(pair.source.domain for pair in pairs)]
    names = {domain.name: domain.ignores_seeds(seed) for domain in domains}
    return tuple(name for name, ignored in names.items() if ignored)


def _measured_at_home(request: TransferRequest, pair: _Pair) -> AtHome:
    """Returns what a source earns in its own environment, and what random does."""
    domain, streams = pair.source.domain, request.streams
    seed, interval_seed = streams.integer("report"), streams.integer("intervals")
    at_random = StickyRandomPolicy(
        domain.actions, streams.generator("home actions"), longest=1
    )
    agent, random = (
        summarise(
            domain.evaluate(policy, episodes=request.episodes, seed=seed), interval_seed
        )
        for policy in (pair.loaded.policy, at_random)
    )
    return AtHome(pair.loaded, agent, random)


def _aligned(
    request: TransferRequest, pairs: list[_Pair], at_home: list[AtHome], folder: Path
) -> list[AlignedSource]:
    config = request.align_config()
    logs = request.tensorboard_folder or folder / "tensorboard"
    sources, targets = [pair.source for pair in pairs], [pair.target for pair in pairs]
    with AlignmentProgress(request.budget, request.progress, logs, folder) as watch:
        alignments = align_each(sources, targets, config, watch)
    return [
        AlignedSource(pair.loaded, pair.notes, home, alignment)
        for pair, home, alignment in zip(pairs, at_home, alignments, strict=True)
    ]


def _reported(
    request: TransferRequest,
    folder: Path,
    aligned: list[AlignedSource],
    best: AlignedSource,
    began: float,
    replay_log: ReplayLog,
) -> TransferResult:
    """Returns the result, with figures over fresh episodes."""
    alignment = best.alignment
    target = alignment.target
    streams = request.streams
    seed = streams.integer("report")

    def figures(policy: Policy) -> ReturnSummary:
        returns = target.evaluate(policy, episodes=request.episodes, seed=seed)
        return summarise(returns, streams.integer("intervals"))

    # One step each: what everybody means by random actions.
    at_random = StickyRandomPolicy(
        target.actions, streams.generator("report actions"), longest=1
    )
    steps: dict[str, int] = {}
    for one in aligned:
        for purpose, count in one.alignment.target.budget.taken.items():
            steps[purpose] = steps.get(purpose, 0) + count
    return TransferResult(
        policy=alignment.policy,
        folder=folder,
        source=best.loaded.title,
        source_environment=environment_of(best.loaded),
        target=request.target,
        accepted=alignment.acceptance.accepted,
        verdict=alignment.acceptance.verdict,
        budget=request.budget,
        steps=steps,
        random=figures(at_random),
        zero_shot=figures(alignment.policy),
        source_at_home=best.at_home.agent,
        random_at_home=best.at_home.random,
        improved=None,
        # Counted by the episodes above.
        reported_steps=sum(target.budget.reported.values()),
        seconds=time.monotonic() - began,
        seed=request.seed,
        report_seed=seed,
        sources=tuple(one.record(one is best) for one in aligned),
        notes=tuple(
            note
            for one in aligned
            for note in (*filter(None, [one.at_home.warning]), *one.notes)
        ),
        picture=folder / "transfer.png",
        resumed=replay_log.resumed,
        reproducibility_warnings=replay_log.reproducibility_warnings,
        steps_taken_again=replay_log.interrupted_steps.get("target", 0),
    )
