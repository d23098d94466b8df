"""One transfer from its options to its record and its folder."""

import time
from pathlib import Path

import numpy as np

from rltransfer import runs
from rltransfer.alignment import AlignConfig, Source, align, require_budget
from rltransfer.cli.agents import (
    MAPPING_FOLDER,
    Actor,
    actor_at,
    domain_of,
    require_fit,
)
from rltransfer.cli.environments import EnvironmentChoice
from rltransfer.cli.session import Session
from rltransfer.cli.transferring.attempted import Attempted
from rltransfer.cli.transferring.options import TransferOptions
from rltransfer.cli.transferring.picturing import draw
from rltransfer.cli.transferring.record import TransferRecord
from rltransfer.cli.transferring.watching import AlignmentWatch
from rltransfer.domain import Domain, Explorer, Policy, StepMeter
from rltransfer.errors import InputError
from rltransfer.evaluation import ReturnSummary, summarise
from rltransfer.files import write_json
from rltransfer.translation import save_translation
from rltransfer_agents.training.isolation import isolated

REPORT_SEED = 3 * 10**6
"""Far from every other seed: the episodes that report choose nothing."""


def transfer_run(options: TransferOptions, session: Session) -> TransferRecord:
    """Aligns every source with the target, keeps the best and reports on it."""
    # One thread: on small networks more of them wait for one another, above all where
    # the machine has other work.
    with isolated():
        return _transfer(options, session)


def _transfer(options: TransferOptions, session: Session) -> TransferRecord:
    began = time.monotonic()
    sources = [_source(options, place) for place in range(len(options.sources))]
    # Before there is a folder, so that wrong input leaves nothing behind.
    targets = [_target(options) for _ in sources]
    folder = runs.next_run_folder(options.log_folder, "transfer", options.target.env_id)
    with runs.locked(folder):
        tensorboard = options.tensorboard_folder or folder / "tensorboard"
        session.keep(tensorboard)
        attempts = []
        config = AlignConfig(seed=options.seed, confidence=_confidence(len(sources)))
        with AlignmentWatch(options.budget, options.progress, tensorboard) as watch:
            for (actor, home, source), target in zip(sources, targets, strict=True):
                watch.next_source(actor.title)
                found = align(source, target, config, watch)
                attempts.append(Attempted(actor, home, found))
        best = min(attempts, key=lambda attempt: attempt.rank)
        record = _report(options, folder, attempts, best, began)
        _store(folder, options, best, record)
        session.keep(folder)
    for domain in (*targets, *(source.domain for _, _, source in sources)):
        domain.close()
    return record


def _confidence(sources: int) -> float:
    """Returns what each proof needs, so that all together have 95 %.

    Each further source is one more chance to look good by luck (Bonferroni).
    """
    return 1 - 0.05 / sources


def _source(
    options: TransferOptions, place: int
) -> tuple[Actor, EnvironmentChoice, Source]:
    path = options.sources[place]
    named = options.source_environment(place)
    actor = actor_at(path, env_id=named, sha256=options.digest(place))
    if actor.home is None:
        raise InputError(
            f"{path} does not say which environment its agent is from; "
            "name it with --source-env"
        )
    domain = domain_of(actor.home)
    require_fit(actor, domain, "name the agent's own environment with --source-env")
    return actor, actor.home, Source(domain, actor.policy, actor.title)


def _target(options: TransferOptions) -> Domain:
    target = domain_of(options.target, StepMeter(options.share))
    require_budget(target)
    return target


def _report(
    options: TransferOptions,
    folder: Path,
    attempts: list[Attempted],
    best: Attempted,
    began: float,
) -> TransferRecord:
    target, home = best.alignment.target, best.alignment.knowledge.source.domain
    rng = np.random.default_rng(options.seed + REPORT_SEED)
    # One step each: what everybody means by random actions.
    at_random = Explorer(target.actions, rng, longest=1)

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
    return TransferRecord(
        run=folder,
        source=best.actor.title,
        target=options.target.title,
        accepted=best.alignment.proof.accepted,
        verdict=best.alignment.proof.verdict,
        budget=options.budget,
        steps=steps,
        reported_steps=sum(target.meter.reported.values()),
        seconds=time.monotonic() - began,
        seed=options.seed,
        random=random,
        source_at_home=figures(home, best.actor.policy),
        zero_shot=zero_shot,
        improved=None,
        sources=tuple(attempt.record(attempt is best) for attempt in attempts),
        picture=folder / "transfer.png",
    )


def _store(
    folder: Path, options: TransferOptions, best: Attempted, record: TransferRecord
) -> None:
    save_translation(folder / MAPPING_FOLDER, best.alignment.policy.translation)
    draw(folder / "transfer.png", options.target, best, record)
    write_json(folder / "transfer.json", record.as_json())
    runs.write_manifest(
        folder,
        runs.Manifest(
            verb="transfer",
            versions=runs.installed_versions(),
            seeds={"transfer": options.seed},
            steps={**record.steps, "reported, not counted": record.reported_steps},
            spaces={
                "observation": runs.describe_space(
                    best.alignment.target.observation_space
                ),
                "action": runs.describe_space(best.alignment.target.action_space),
            },
            settings={
                "target": options.target.env_id,
                "target_kwargs": dict(options.target.kwargs),
                "source": str(best.actor.path.resolve()),
                "source_env": best.home.env_id,
                "source_kwargs": dict(best.home.kwargs),
                "source_sha256": best.actor.sha256,
                "budget": options.budget,
            },
            results={"accepted": record.accepted, "verdict": record.verdict},
        ),
    )
