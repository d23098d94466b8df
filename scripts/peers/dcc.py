"""Dynamics cycle-consistency (DCC), as a zero-shot strategy of the benchmark.

Zhang, Xiao, Efros, Pinto, Wang: "Learning cross-domain correspondence for control with
dynamics cycle-consistency", ICLR 2021. `peers.cycle_maps` has the equations. Here: the
experience that they are fitted to, and which checkpoint acts.

Half of the target's steps explore at random; the other half tries checkpoints, and the
one that earned most is kept. All are counted. There is no acceptance test: what was
kept always acts.
"""

import time
from dataclasses import dataclass, field
from typing import Any, final

import numpy as np
from torch import Generator

from peers.cycle_maps import CycleConfig, CyclePolicy, Experience, fit_cycles
from rltransfer.domain import (
    Domain,
    MixturePolicy,
    Policy,
    StickyRandomPolicy,
    Transitions,
)
from rltransfer.evaluation import summarise
from rltransfer.random_streams import RandomStreams
from rltransfer.workflows.benchmark_jobs import Job, folder_of
from rltransfer.workflows.benchmark_runs import EPISODES, SURE_EPISODES
from rltransfer.workflows.environments import EnvironmentChoice, domain_of
from rltransfer.workflows.evaluate import evaluate
from rltransfer.workflows.policy_loading import load_agent, opened_home
from rltransfer.workflows.transfer_request import streams_of
from rltransfer.wrappers import StepBudget
from rltransfer_agents.training.training_run import isolated


@final
@dataclass(frozen=True)
class DccConfig:
    """Effort of the peer; the target's steps are the pair's."""

    source_steps: int = 10_000
    """At random, by the source's policy, and by both in turn: so many of each. Ours
    sees as many."""
    most_checkpoints: int = 10
    fewest_checkpoints: int = 3
    """Of which each is tried; as many as have time for a whole episode each."""
    maps: CycleConfig = field(default_factory=CycleConfig)


_USES = ("explore", "source", "mixture", "resets", "weights", "trials")


def run(job: Job, config: DccConfig | None = None) -> dict[str, Any]:
    """Returns what the best checkpoint earns, in the words of `transfer --json`.

    Args:
        job: a pair and a seed; its agents are there.
        config: by default that of the measurements.
    """
    config, began = config or DccConfig(), time.monotonic()
    assert job.source is not None
    path = folder_of(job.source, job.folder)
    kwargs = job.pair.target_options(job.seed)
    loaded = load_agent(path, env=job.source.env_id)
    budget, reports = StepBudget(job.pair.budget), streams_of(job.seed)
    target = domain_of(EnvironmentChoice(job.pair.target, kwargs), None, budget)
    episodes = SURE_EPISODES if job.pair.refusal == "right" else EPISODES

    def earned(domain: Domain, policy: Policy) -> dict[str, Any]:
        seed = reports.integer("report")
        returns = domain.evaluate(policy, episodes=episodes, seed=seed)
        return summarise(returns, reports.integer("intervals")).as_json()

    with isolated(), opened_home(loaded) as (source, _):
        found = transferred(source, loaded.policy, target, config, job.seed)
        rng = reports.generator("report actions")
        record: dict[str, Any] = {
            "zero_shot": earned(target, found.policy),
            "random": earned(
                target, StickyRandomPolicy(target.actions, rng, longest=1)
            ),
            "source_at_home": earned(source, loaded.policy),
            # Nothing is ever refused.
            "accepted": True,
            "verdict": f"checkpoint {found.chosen + 1} of {len(found.trials)}",
            "trials": found.trials,
            "target_steps": budget.used,
            "steps": dict(budget.taken),
            "seed": job.seed,
            "report_seed": reports.integer("report"),
            "seconds": time.monotonic() - began,
        }
    target.close()
    if job.compares:
        record["unmapped"] = evaluate(
            folder_of(job.pair.unmapped, job.folder),
            job.pair.target,
            env_kwargs=kwargs,
            episodes=EPISODES,
            seed=record["report_seed"],
        ).as_json()
    return record


@final
@dataclass(frozen=True, eq=False)
class Found:
    """The checkpoint that earned most in its trial."""

    policy: CyclePolicy
    chosen: int
    trials: list[float]
    """What each checkpoint earned, in order."""


def transferred(
    source: Domain, policy: Policy, target: Domain, config: DccConfig, seed: int
) -> Found:
    """Fits maps to random experience, and keeps the checkpoint that earns most.

    Args:
        source: where `policy` is at home; its steps are free.
        policy: of the source.
        target: whose budget says how many steps there are.
        config: effort.
        seed: of everything drawn.
    """
    streams = RandomStreams(seed, *_USES)
    steps = target.budget.allowed(10**9)
    resets = streams.integer("resets")
    explorer = StickyRandomPolicy(target.actions, streams.generator("explore"))
    seen = target.collect(
        explorer, purpose="exploration", seed=resets, steps=steps // 2
    ).transitions
    at_random, rows = _source_rows(source, policy, config, streams)
    left = steps - target.budget.used
    checkpoints = _checkpoints(left, target.episode_limit, config)
    best: tuple[float, int, CyclePolicy] | None = None
    trials: list[float] = []
    generator = Generator().manual_seed(streams.integer("weights"))
    experience = Experience(seen, at_random, rows, source.actions, target.actions)
    every = -(-config.maps.updates // checkpoints)
    for number, acting in enumerate(
        fit_cycles(experience, policy, config.maps, every, generator)
    ):
        trial = target.collect(
            acting,
            purpose="trials",
            # All begin alike, and have as many steps.
            seed=streams.integer("trials"),
            steps=left // checkpoints,
        )
        trials.append(float(trial.mean_return))
        if best is None or trials[-1] > best[0]:
            best = trials[-1], number, acting
    assert best is not None
    return Found(best[2], best[1], trials)


def _checkpoints(steps: int, limit: int | None, config: DccConfig) -> int:
    """Returns how many checkpoints are tried, so that whole episodes fit."""
    fitting = steps // limit if limit else config.most_checkpoints
    return int(np.clip(fitting, config.fewest_checkpoints, config.most_checkpoints))


def _source_rows(
    source: Domain, policy: Policy, config: DccConfig, streams: RandomStreams
) -> tuple[Transitions, Transitions]:
    """Returns what random actions see in the source, and that with the rest."""
    rng = streams.generator("source")
    explorer = StickyRandomPolicy(source.actions, rng)
    mixture = MixturePolicy(policy, explorer, 0.5, streams.generator("mixture"))
    parts = [
        source.collect(
            who,
            purpose="source",
            seed=streams.integer("resets"),
            steps=config.source_steps,
        ).transitions
        for who in (explorer, mixture, policy)
    ]
    return parts[0], Transitions.join(*parts)
