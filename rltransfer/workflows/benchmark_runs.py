"""What one job of a benchmark does, from nothing to a record.

`run_job` is a plain function of plain data, so that another engine can run jobs too.
"""

import shutil
import time
from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any, TypeAlias

import numpy as np

from rltransfer.domain import Domain
from rltransfer.io import storage_faults
from rltransfer.translation import MappedPolicy
from rltransfer.translation.altered_translations import opposite, shuffled, spoilt
from rltransfer.workflows.benchmark_jobs import Job, folder_of
from rltransfer.workflows.environments import EnvironmentChoice
from rltransfer.workflows.evaluate import evaluate
from rltransfer.workflows.scratch_learning import learn_from_scratch
from rltransfer.workflows.transfer import transfer
from rltransfer.workflows.transfer_request import streams_of
from rltransfer_agents.training.train_config import TrainConfig
from rltransfer_agents.training.training_run import train_source

Record: TypeAlias = dict[str, Any]
"""What a job leaves, as JSON; `curve` has the points of its learning curve."""

EPISODES, SURE_EPISODES = 20, 100
_TRIED_EPISODES = 10
"""Of each policy that may be spoilt enough."""


def run_job(job: Job, hyperparams: Mapping[str, Any] | None = None) -> Record:
    """Runs a job from its beginning and returns its record.

    Args:
        job: whose agents are there.
        hyperparams: of its transfer, replace values of `AlignConfig`.
    """
    with storage_faults(job.own_folder):
        # Of a run that was killed.
        shutil.rmtree(job.own_folder, ignore_errors=True)
    match job.way.learner:
        case None:
            return zero_shot(job, hyperparams)
        case "scratch":
            record = scratch(job)
        case learner:
            record = learned_on(job, learner, hyperparams)
    with storage_faults(job.own_folder):
        # Learners are large, and what they came to is in the record.
        shutil.rmtree(job.own_folder, ignore_errors=True)
    return record


def zero_shot(job: Job, hyperparams: Mapping[str, Any] | None = None) -> Record:
    """Returns what the mapped policy earns, and an agent that needs no mapping."""
    pair, kwargs = job.pair, job.pair.target_options(job.seed)
    # Whether an unrelated source is worth something takes more to tell.
    episodes = SURE_EPISODES if pair.refusal == "right" else EPISODES
    record = _transferred(
        job, steps=pair.budget, episodes=episodes, hyperparams=hyperparams
    )
    if job.compares:
        # In the same episodes, so that luck with them is the same.
        record["unmapped"] = evaluate(
            folder_of(pair.unmapped, job.folder),
            pair.target,
            env_kwargs=kwargs,
            episodes=EPISODES,
            seed=record["report_seed"],
        ).as_json()
    return record


def scratch(job: Job) -> Record:
    """Returns the learning curve of an agent that knows nothing before.

    It is evaluated in the episodes in which all strategies are.
    """
    learning = job.learning
    options = job.pair.target_options(job.seed)
    report_seed = streams_of(job.seed).integer("report")
    if learning.student is not None:
        began = time.monotonic()
        learned = learn_from_scratch(
            EnvironmentChoice(job.pair.target, options),
            learning.student,
            job.budget,
            seed=job.seed,
            points=job.points,
            evaluation_episodes=EPISODES,
            evaluation_seed=report_seed,
        )
        points = [(at.target_steps, at.mean_return) for at in learned]
        seconds = time.monotonic() - began
    else:
        run = train_source(
            TrainConfig(
                env_id=job.pair.target,
                algorithm=learning.scratch.algorithm,
                log_folder=job.own_folder,
                steps=job.budget,
                seed=job.seed,
                env_kwargs=options,
                hyperparameters=learning.scratch.hyperparams,
                evaluations=job.points,
                evaluation_episodes=EPISODES,
                evaluation_seed=report_seed,
            )
        )
        with np.load(run.folder / "evaluations.npz", allow_pickle=False) as found:
            steps, returns = found["timesteps"], found["results"].mean(axis=1)
        points = list(zip(steps.tolist(), returns.tolist(), strict=True))
        seconds = run.seconds
    return {
        "seconds": seconds,
        "curve": [
            _point(0, learning.random, "random"),
            *(_point(at, earned, "scratch") for at, earned in points),
        ],
    }


def learned_on(
    job: Job, strategy: str, hyperparams: Mapping[str, Any] | None = None
) -> Record:
    """Returns what learning on from the mapped policy came to.

    Args:
        job: says where and how long.
        strategy: a name that `transfer` knows.
        hyperparams: of the transfer.
    """
    record = _transferred(
        job,
        episodes=SURE_EPISODES,
        hyperparams=hyperparams,
        steps=job.budget,
        improve=True,
        strategy=strategy,
        threshold=job.learning.threshold,
        alignment_steps=job.alignment_steps,
        evaluations=job.points,
    )
    # Before its first point a curve counts as random, and what begins there is measured
    # from there.
    points = record["curve"]
    record["curve"] = [point for point in points if point["arm"] != "random"]
    return record


def _transferred(job: Job, **options: Any) -> Record:
    """Returns what `transfer --json` prints."""
    pair, source = job.pair, job.source
    assert source is not None
    alter = _ALTERED[job.way.mapping or pair.mapping]
    return transfer(
        folder_of(source, job.folder),
        pair.target,
        source_env=source.env_id,
        target_kwargs=pair.target_options(job.seed),
        seed=job.seed,
        weak_source=pair.weak_source or source.kind != "",
        log_folder=job.own_folder,
        alter=None if alter is None else partial(alter, job),
        # The benchmark has one page for all.
        report=False,
        **options,
    ).as_json()


def _shuffled(job: Job, policy: MappedPolicy, target: Domain) -> MappedPolicy:
    del target
    return shuffled(policy, np.random.default_rng(job.seed))


def _opposite(job: Job, policy: MappedPolicy, target: Domain) -> MappedPolicy:
    del job, target
    return opposite(policy)


def _spoilt(job: Job, policy: MappedPolicy, target: Domain) -> MappedPolicy:
    known = job.learning

    def use(worse: MappedPolicy) -> float:
        returns = target.evaluate(worse, episodes=_TRIED_EPISODES, seed=job.seed)
        earned = float(returns.mean()) - known.random
        return earned / (known.final - known.random)

    return spoilt(policy, use, job.seed)


_ALTERED: Mapping[str, Callable[[Job, MappedPolicy, Domain], MappedPolicy] | None] = (
    MappingProxyType(
        {
            "found": None,
            "spoilt": _spoilt,
            "wrong": _opposite,
            "shuffled": _shuffled,
        }
    )
)


def _point(steps: int, mean_return: float, arm: str) -> Record:
    return {"target_steps": steps, "mean_return": mean_return, "arm": arm}
