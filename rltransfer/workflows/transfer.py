"""One transfer from its options to its record and its folder."""

import time
from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import final

import numpy as np

from rltransfer.alignment import AlignConfig, Source, align_each, require_budget
from rltransfer.cli.session import Session
from rltransfer.domain import (
    Domain,
    Policy,
    StickyRandomPolicy,
    describe_space,
)
from rltransfer.errors import InputError
from rltransfer.evaluation import ReturnSummary, summarise
from rltransfer.io import (
    MANIFEST_NAME,
    Manifest,
    installed_versions,
    locked,
    next_run_folder,
    write_json,
    write_manifest,
)
from rltransfer.resume.replay_log import ReplayLog, remove_replay_log
from rltransfer.translation import save_translation
from rltransfer.workflows.alignment_progress import AlignmentWatch
from rltransfer.workflows.environment_choice import EnvironmentChoice, Stepping
from rltransfer.workflows.source_agents import (
    MAPPING_FOLDER,
    LoadedPolicy,
    domain_of,
    load_policy,
    require_fit,
)
from rltransfer.workflows.transfer_drawing import draw
from rltransfer.workflows.transfer_record import (
    RECORD,
    Attempted,
    FinishedTransfer,
    TransferRecord,
)
from rltransfer.workflows.transfer_request import (
    TransferOptions,
    options_of,
    replay_log_folder,
    request_of,
    require_transfer,
)
from rltransfer.workflows.transfer_stops import StopSignals
from rltransfer.wrappers import StepBudget, StepTimeout
from rltransfer_agents.training.training_run import isolated


@final
@dataclass(frozen=True, eq=False)
class Pair:
    """A source, and the target with the source's own share of the budget."""

    loaded: LoadedPolicy
    home: EnvironmentChoice
    source: Source
    target: Domain


@contextmanager
def opened_pairs(options: TransferOptions) -> Iterator[list[Pair]]:
    """Opens every source with a target of its own, or raises; closes them after."""
    with ExitStack() as stack:
        yield [_pair(options, place, stack) for place in range(len(options.sources))]


def _pair(options: TransferOptions, place: int, stack: ExitStack) -> Pair:
    path = options.sources[place]
    named = options.source_environment(place)
    loaded = load_policy(path, env_id=named, sha256=options.digest(place))
    if loaded.home is None:
        raise InputError(
            f"{path} does not say which environment its agent is from; "
            "name it with --env"
        )
    domain = domain_of(loaded.home, options.stepping)
    stack.callback(domain.close)
    require_fit(loaded, domain, "name the agent's own environment with --env")
    target = domain_of(options.target, options.stepping, StepBudget(options.share))
    stack.callback(target.close)
    require_budget(target)
    return Pair(
        loaded, loaded.home, Source(domain, loaded.policy, loaded.title), target
    )


def store(
    folder: Path, options: TransferOptions, best: Attempted, record: TransferRecord
) -> None:
    """Writes the mapping, the picture, the record and the manifest."""
    save_translation(folder / MAPPING_FOLDER, best.alignment.policy.translation)
    draw(folder / "transfer.png", options.target, best, record)
    write_json(folder / RECORD, record.as_json())
    write_manifest(
        folder,
        Manifest(
            verb="transfer",
            versions=installed_versions(),
            seeds={"transfer": options.seed},
            steps={
                **record.steps,
                "reported, not counted": record.reported_steps,
                "taken again after a stop": record.steps_taken_again,
            },
            spaces={
                "observation": describe_space(best.alignment.target.observation_space),
                "action": describe_space(best.alignment.target.action_space),
            },
            settings={
                "target": options.target.env_id,
                "target_kwargs": dict(options.target.kwargs),
                "source": str(best.loaded.path.resolve()),
                "source_env": best.home.env_id,
                "source_kwargs": dict(best.home.kwargs),
                "source_sha256": best.loaded.sha256,
                "budget": options.budget,
            },
            results={
                "accepted": record.accepted,
                "verdict": record.verdict,
                "resumed": record.resumed,
                "reproducibility_warnings": list(record.reproducibility_warnings),
            },
        ),
    )


REPORT_SEED = 3 * 10**6
"""Far from every other seed: the episodes that report choose nothing."""


def transfer_run(options: TransferOptions, session: Session) -> TransferRecord:
    """Aligns every source with the target, keeps the best and reports on it."""
    # One thread: on small networks more of them wait for one another, above all where
    # the machine has other work.
    with isolated():
        # Before there is a folder, so that wrong input leaves nothing behind.
        with opened_pairs(options) as pairs:
            env_id = options.target.env_id
            folder = next_run_folder(options.log_folder, "transfer", env_id)
            stops = StopSignals(folder)
            with locked(folder), stops.heard():
                return _transfer(options, pairs, folder, session, stops)


def resume_run(
    folder: Path,
    progress: bool,
    stepping: Stepping,
    typed: Collection[str],
    session: Session,
) -> TransferRecord | FinishedTransfer:
    """Goes on with an interrupted transfer; returns a finished one as it is.

    No target step that was written down is taken again. With the same versions on the
    same machine the result is that of a run that was never interrupted, bit for bit;
    where that is in doubt, the record says `approximate` and why.

    Args:
        folder: of the run.
        progress: whether to show it.
        stepping: of the environments; need not be that of before.
        typed: environments that the user named: what a file may not import by itself.
        session: is told what was kept.
    """
    require_transfer(folder)
    stops = StopSignals(folder)
    with isolated(), locked(folder), stops.heard():
        if (folder / MANIFEST_NAME).exists():
            remove_replay_log(replay_log_folder(folder))
            return FinishedTransfer.at(folder)
        options = options_of(folder, progress, stepping, typed)
        with opened_pairs(options) as pairs:
            return _transfer(options, pairs, folder, session, stops)


def _transfer(
    options: TransferOptions,
    pairs: list[Pair],
    folder: Path,
    session: Session,
    stops: StopSignals,
) -> TransferRecord:
    began = time.monotonic()
    tensorboard = options.tensorboard_folder or folder / "tensorboard"
    session.keep(tensorboard)
    config = AlignConfig(seed=options.seed, sources=len(pairs))
    replay_log = ReplayLog(
        replay_log_folder(folder),
        request_of(options, [pair.loaded for pair in pairs], config),
        stops.obey,
    )
    stops.spare(replay_log)
    with StepTimeout(options.stepping.step_seconds).active() as timeout:
        for domain in (d for pair in pairs for d in (pair.source.domain, pair.target)):
            domain.use_replay_log(replay_log)
            domain.use_timeout(timeout)
        with AlignmentWatch(
            options.budget, options.progress, tensorboard, folder
        ) as watch:
            alignments = align_each(
                [pair.source for pair in pairs],
                [pair.target for pair in pairs],
                config,
                watch,
            )
        attempts = [
            Attempted(pair.loaded, pair.home, alignment)
            for pair, alignment in zip(pairs, alignments, strict=True)
        ]
        best = min(attempts, key=lambda attempt: attempt.rank)
        record = _report(options, folder, attempts, best, began, replay_log)
    store(folder, options, best, record)
    session.keep(folder)
    # Only now: without it a run that has no manifest starts again from nothing.
    remove_replay_log(replay_log_folder(folder))
    return record


def _report(
    options: TransferOptions,
    folder: Path,
    attempts: list[Attempted],
    best: Attempted,
    began: float,
    replay_log: ReplayLog,
) -> TransferRecord:
    target, home = best.alignment.target, best.alignment.model_data.source.domain
    rng = np.random.default_rng(options.seed + REPORT_SEED)
    # One step each: what everybody means by random actions.
    at_random = StickyRandomPolicy(target.actions, rng, longest=1)

    def figures(domain: Domain, policy: Policy) -> ReturnSummary:
        seed = options.seed + REPORT_SEED
        returns = domain.evaluate(policy, episodes=options.episodes, seed=seed)
        return summarise(returns, options.seed)

    steps: dict[str, int] = {}
    for attempt in attempts:
        for purpose, count in attempt.alignment.target.meter.taken.items():
            steps[purpose] = steps.get(purpose, 0) + count
    random, zero_shot = (
        figures(target, policy) for policy in (at_random, best.alignment.policy)
    )
    at_home = figures(home, best.loaded.policy)
    return TransferRecord(
        run=folder,
        source=best.loaded.title,
        target=options.target.title,
        accepted=best.alignment.acceptance.accepted,
        verdict=best.alignment.acceptance.verdict,
        budget=options.budget,
        steps=steps,
        reported_steps=sum(target.meter.reported.values()),
        seconds=time.monotonic() - began,
        seed=options.seed,
        random=random,
        source_at_home=at_home,
        zero_shot=zero_shot,
        improved=None,
        sources=tuple(attempt.record(attempt is best) for attempt in attempts),
        picture=folder / "transfer.png",
        resumed=replay_log.resumed,
        reproducibility_warnings=replay_log.reproducibility_warnings,
        steps_taken_again=sum(
            steps
            for name, steps in replay_log.interrupted_steps.items()
            if name == options.target.title
        ),
    )
