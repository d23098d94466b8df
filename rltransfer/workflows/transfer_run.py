"""Running a transfer, or going on with one: from its request to its folder."""

import shutil
import time
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import final

from rltransfer.alignment import Alignment, Source, align_each, require_budget
from rltransfer.argument_checks import EPISODE_CAP, STEP_SECONDS, VecEnv
from rltransfer.domain import Domain, Policy, StickyRandomPolicy
from rltransfer.errors import InputError
from rltransfer.evaluation import ReturnSummary, summarise
from rltransfer.io import MANIFEST_NAME, locked, next_run_folder, require_writable
from rltransfer.io.atomic_files import storage_faults
from rltransfer.resume.replay_log import ReplayLog, is_replay_log, remove_replay_log
from rltransfer.resume.stop_signals import StopSignals, resumable, resume_command
from rltransfer.translation.altered_translations import Alter
from rltransfer.workflows.environments import Stepping, domain_of
from rltransfer.workflows.policy_loading import environment_of, load_agent, opened_home
from rltransfer.workflows.progress_bars import alignment_progress
from rltransfer.workflows.source_model_cache import SourceModelCache
from rltransfer.workflows.transfer_folder import AlignedSource, weakness, write_transfer
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


def run_transfer(request: TransferRequest) -> TransferResult:
    """Aligns every source with the target, keeps the best and reports on it."""
    # One thread: on small networks more of them wait for one another, above all where
    # the machine has other work.
    with isolated():
        require_writable(request.log_folder)
        # Before there is a folder, so that wrong input leaves nothing behind.
        with _opened_pairs(request) as pairs:
            env_id = request.target.env_id
            folder = next_run_folder(request.log_folder, "transfer", env_id)
            with locked(folder), _resumable(folder, request):
                return _transfer(request, pairs, folder)


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
        with _resumable(folder, request), _opened_pairs(request) as pairs:
            return _transfer(request, pairs, folder)


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


@final
@dataclass(frozen=True, eq=False)
class _Pair:
    """A source, and the target with the source's own share of the budget."""

    loaded: LoadedPolicy
    notes: tuple[str, ...]
    source: Source
    target: Domain
    cache: SourceModelCache


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
        sha256=request.digests[place] if request.digests else None,
        statistics=request.statistics[place] if request.statistics else None,
    )
    domain, notes = stack.enter_context(
        opened_home(loaded, request.stepping, kwargs_option="--source-kwargs")
    )
    budget = StepBudget(request.budget // len(request.sources))
    option = "--target-kwargs"
    target = domain_of(request.target, request.stepping, budget, kwargs_option=option)
    stack.callback(target.close)
    require_budget(target)
    cache = SourceModelCache(loaded)
    learn = cache if request.cache else None
    source = Source(domain, loaded.policy, loaded.title, learn)
    return _Pair(loaded, (*loaded.notes, *notes), source, target, cache)


def _transfer(
    request: TransferRequest, pairs: list[_Pair], folder: Path
) -> TransferResult:
    began = time.monotonic()
    # Acting comes to its end first; a second signal stops at once in any case, since an
    # environment may hang.
    signals = StopSignals(1, lambda: not replay_log.acting, request.handle_signals)
    replay_log = ReplayLog(
        replay_log_folder(folder),
        recorded_request(request, [pair.loaded for pair in pairs]),
        signals.check,
    )
    with signals:
        with StepTimeout(request.stepping.step_seconds).active() as timeout:
            for number, pair in enumerate(pairs, 1):
                pair.source.domain.use_replay_log(replay_log, f"source {number}")
                pair.target.use_replay_log(replay_log, "target")
                for domain in (pair.source.domain, pair.target):
                    domain.use_timeout(timeout)
            domains = [pairs[0].target, *(pair.source.domain for pair in pairs)]
            ignored = {one.name: one.ignores_seeds(request.seed) for one in domains}
            aligned = _aligned(request, pairs, folder)
            result = replace(
                _reported(request, aligned, folder),
                resumed=replay_log.resumed,
                reproducibility_warnings=replay_log.reproducibility_warnings,
                steps_taken_again=replay_log.interrupted_steps.get("target", 0),
                seconds=time.monotonic() - began,
                seeds_ignored=tuple(filter(ignored.get, ignored)),
            )
        result = write_transfer(request, _best(aligned), result)
        # Only now: without it a run that has no manifest starts again from nothing.
        remove_replay_log(replay_log_folder(folder))
    return result


def _aligned(
    request: TransferRequest, pairs: list[_Pair], folder: Path
) -> list[AlignedSource]:
    """Aligns every source, unless one is no better than random at home."""
    at_home = [
        _figures(request, pair.source.domain, pair.loaded.policy, "home actions")
        for pair in pairs
    ]
    weak = [
        weakness(pair.loaded, *figures)
        for pair, figures in zip(pairs, at_home, strict=True)
    ]
    if any(weak) and not request.weak_source:
        with storage_faults(folder):
            shutil.rmtree(folder)  # nothing is kept of wrong input
        first = next(filter(None, weak))
        raise InputError(f"{first}; --weak-source transfers it all the same")
    logs = request.tensorboard_folder or folder / "tensorboard"
    sources, targets = [pair.source for pair in pairs], [pair.target for pair in pairs]
    with alignment_progress(request.budget, request.progress, logs, folder) as watch:
        alignments = align_each(sources, targets, request.align_config(), watch)
    if request.alter is not None:
        alignments = [_altered(one, request.alter) for one in alignments]
    return [
        AlignedSource(
            pair.loaded,
            (*filter(None, [fault]), *pair.notes, *pair.cache.notes),
            *figures,
            alignment,
        )
        for pair, fault, figures, alignment in zip(
            pairs, weak, at_home, alignments, strict=True
        )
    ]


def _altered(alignment: Alignment, alter: Alter) -> Alignment:
    policy = alter(alignment.policy, alignment.target)
    return replace(alignment, chosen=replace(alignment.chosen, policy=policy))


def _best(aligned: list[AlignedSource]) -> AlignedSource:
    return min(aligned, key=lambda one: one.alignment.rank)


def _figures(
    request: TransferRequest, domain: Domain, policy: Policy, use: str
) -> tuple[ReturnSummary, ReturnSummary]:
    """Returns what a policy earns in fresh episodes, and what random actions do.

    Args:
        request: decides how many episodes, and all that is drawn.
        domain: where they act.
        policy: acts first.
        use: the stream of random actions.
    """
    streams = request.streams
    # One step each: what everybody means by random actions.
    random = StickyRandomPolicy(domain.actions, streams.generator(use), longest=1)
    seed = streams.integer("report")
    returns = [
        domain.evaluate(one, episodes=request.episodes, seed=seed)
        for one in (policy, random)
    ]
    own, of_random = (summarise(one, streams.integer("intervals")) for one in returns)
    return own, of_random


_REMEMBERS = (
    "one observation does not tell the state: the policy acts on the last {}; hand the "
    "state that predict returns to its next call, None where an episode begins"
)


def _reported(
    request: TransferRequest, aligned: list[AlignedSource], folder: Path
) -> TransferResult:
    """Returns the result, with figures over fresh episodes."""
    best = _best(aligned)
    alignment = best.alignment
    stacked = alignment.policy.history.steps
    remembers = [_REMEMBERS.format(stacked)] if stacked > 1 else []
    target = alignment.target
    zero_shot, random = _figures(request, target, alignment.policy, "report actions")
    steps: Counter[str] = Counter()
    for one in aligned:
        steps.update(one.alignment.target.budget.taken)
    return TransferResult(
        policy=alignment.policy,
        folder=folder,
        source=best.loaded.title,
        source_environment=environment_of(best.loaded),
        target=request.target,
        accepted=alignment.acceptance.accepted,
        verdict=alignment.acceptance.verdict,
        budget=request.budget,
        steps=dict(steps),
        random=random,
        zero_shot=zero_shot,
        source_at_home=best.at_home,
        random_at_home=best.random_at_home,
        improved=None,
        # Counted by the episodes above.
        reported_steps=sum(target.budget.reported.values()),
        seed=request.seed,
        report_seed=request.streams.integer("report"),
        sources=tuple(one.record(one is best) for one in aligned),
        notes=(*chain.from_iterable(one.notes for one in aligned), *remembers),
        picture=folder / "transfer.png",
    )
