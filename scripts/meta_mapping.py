"""Which start a mapping fits a target of a family from: learned, pooled, or the last.

    python scripts/meta_mapping.py --agents rl-trained-agents

A family is Pendulum with sensors turned by 0 to 90 degrees, with other gravity, mass
and length, or with a motor worn to 30 %. Eight targets of it are known; a start is
learned from them by MAML, FOMAML and Reptile, or is the map that fits all of them at
once (pooled). A new target drifts: it is a twentieth of the range further than the last
one, whose map was fitted to all its steps and is the warm start. From each start, and
from a random turn, plain gradient steps are taken on the first transitions of the
target; the figure is the alignment error on 1,000 others, the median of targets and
seeds. The source is an agent that RL Zoo published; all steps are random.
"""

import argparse
import statistics
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np
import torch
from torch import Generator

import rltransfer
from rltransfer.alignment import AlignConfig, Source
from rltransfer.alignment.families.fitted_families import random_turns
from rltransfer.domain import Domain, StickyRandomPolicy, Transitions, Whitening
from rltransfer.errors import UserError
from rltransfer.mapping import (
    Affine,
    DomainMapping,
    DynamicsAgreement,
    FitConfig,
    MomentMatching,
    WeightedSum,
    fit,
    stacked,
)
from rltransfer.meta import MetaConfig, MetaTask, learn_start, stepped
from rltransfer.workflows.policy_loading import opened_home
from rltransfer.workflows.source_model_cache import SourceModelCache

PENDULUM, DRIFTING = "rltransfer/Pendulum-v0", "rltransfer/Drifting-v0"
STEPS, ROWS = (0, 1, 5, 20, 100), (50, 200, 1000)
"""Gradient steps; transitions that they are taken on."""
KNOWN, NEW = 8, 3
"""Targets to learn from; targets to be fitted to, each beside the last one."""
RATE = 0.1
"""Of gradient steps, where a start is learned and where it is used."""
FURTHER = 0.05
"""Of the range, from the last target to the new one."""


def _sensors(share: float) -> gym.Env[Any, Any]:
    turned: dict[str, Any] = {"turn": 90.0 * share, "steps": 0}
    return gym.make(DRIFTING, base="Pendulum-v1", seed=3, **turned)


def _physics(share: float) -> gym.Env[Any, Any]:
    heavier: dict[str, Any]
    heavier = {"gravity": 8.0 + 6.0 * share, "mass": 0.7 + 0.7 * share}
    return gym.make(PENDULUM, length=0.8 + 0.5 * share, **heavier)


def _motor(share: float) -> gym.Env[Any, Any]:
    worn: dict[str, Any] = {"turn": 0.0, "motor": 1.0 - 0.7 * share, "steps": 0}
    return gym.make(DRIFTING, base="Pendulum-v1", seed=3, **worn)


FAMILIES: dict[str, Callable[[float], gym.Env[Any, Any]]] = {
    "sensors": _sensors,
    "physics": _physics,
    "motor": _motor,
}
"""By name: what makes the target at a share of the range."""


class Family(NamedTuple):
    """Steps of targets, in white coordinates that all of them share."""

    objective: WeightedSum[DomainMapping, Transitions]
    known: list[Transitions]
    last: list[Transitions]
    new: list[Transitions]
    size: int


def seen(env: gym.Env[Any, Any], seed: int) -> Transitions:
    """Returns 2,000 steps at random."""
    domain = Domain(lambda: env, "target")
    policy = StickyRandomPolicy(domain.actions, np.random.default_rng(seed))
    steps = domain.collect(policy, purpose="family", seed=seed, steps=2 * ROWS[-1])
    domain.close()
    return steps.transitions


def family_of(name: str, agent: Path, seed: int) -> Family:
    """Returns what is seen of a family, and what a mapping of it is fitted to."""
    source = rltransfer.load_agent(agent)
    with opened_home(source) as (home, _):
        data = SourceModelCache(source)(
            Source(home, source.policy, source.title), AlignConfig()
        )
    rng, make = np.random.default_rng(seed), FAMILIES[name]
    last = rng.uniform(0.2, 1 - FURTHER, NEW)
    known = np.linspace(0, 1, KNOWN)
    parts = [
        [seen(make(float(share)), seed=1000 * seed + place) for share in shares]
        for place, shares in enumerate((known, last, last + FURTHER))
    ]
    whitening = Whitening.of(torch.cat([rows.observation for rows in parts[0]]))

    def white(rows: Transitions) -> Transitions:
        return replace(
            rows,
            observation=whitening.whiten(rows.observation),
            next_observation=whitening.whiten(rows.next_observation),
        )

    objective: WeightedSum[DomainMapping, Transitions] = WeightedSum(
        (
            (1.0, DynamicsAgreement(data.model, termination_weight=0.0)),
            (0.05, MomentMatching.of(data.at_random.observation)),
        )
    )
    shown, before, now = (list(map(white, part)) for part in parts)
    return Family(objective, shown, before, now, size=len(whitening.mean))


def anywhere(size: int, generator: Generator) -> DomainMapping:
    """Returns a random turn of states, and a random gain of the motor."""
    return DomainMapping(
        Affine.of(random_turns(1, size, size, generator)[0], torch.zeros(size)),
        Affine.of(torch.randn(1, 1, generator=generator) / 2, torch.zeros(1)),
    )


def fitted(
    family: Family, rows: Transitions, generator: Generator, restarts: int = 8
) -> DomainMapping:
    """Returns the best of some fits from random starts."""
    stack = stacked([anywhere(family.size, generator) for _ in range(restarts)])
    schedule = FitConfig(updates=500)
    report = fit(stack, family.objective, rows, schedule, generator=generator)
    return stack.copy(report.best)


def starts_of(family: Family, seed: int) -> dict[str, DomainMapping]:
    """Returns the starts that do not depend on the new target."""
    generator = torch.Generator().manual_seed(seed)
    tasks = [
        MetaTask(family.objective, rows[: ROWS[-1]], rows[ROWS[-1] :])
        for rows in family.known
    ]
    pooled = fitted(family, Transitions.join(*family.known), generator)
    found = {"random": anywhere(family.size, generator), "pooled": pooled}
    for method in ("maml", "fomaml", "reptile"):
        # From the pooled start, as from a random one none finds what fits the family.
        start = DomainMapping.build(pooled.settings)
        start.load_state_dict(pooled.state_dict())
        config = MetaConfig(method, steps=5, rate=RATE, updates=150, meta_rate=0.005)
        learn_start(start, tasks, config, generator)
        found[method] = start
    return found


def errors(family: Family, seed: int) -> dict[tuple[str, int], list[list[float]]]:
    """Returns by start and transitions, for each target, the error after all steps."""
    found: dict[tuple[str, int], list[list[float]]] = {}
    starts = starts_of(family, seed)
    generator = torch.Generator().manual_seed(seed)
    for last, new in zip(family.last, family.new, strict=True):
        starts["last"] = fitted(family, last, generator)
        for name, start in starts.items():
            for count in ROWS:
                row = []
                for steps in STEPS:
                    mapping = stepped(start, family.objective, new[:count], steps, RATE)
                    with torch.no_grad():
                        row.append(float(family.objective(mapping, new[ROWS[-1] :])))
                found.setdefault((name, count), []).append(row)
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints a table for each family."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--agents", type=Path, required=True, help="as RL Zoo has them")
    parser.add_argument(
        "--families", nargs="+", choices=FAMILIES, default=list(FAMILIES)
    )
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    heads = [f"{steps} steps" for steps in STEPS]
    print("| family | start | transitions |", *heads, "", sep=" | ")
    print("|---" * (3 + len(STEPS)) + "|")
    for name in options.families:
        found: dict[tuple[str, int], list[list[float]]] = {}
        for seed in options.seeds:
            family = family_of(name, options.agents / "sac/Pendulum-v1_1", seed)
            for key, rows in errors(family, seed).items():
                found.setdefault(key, []).extend(rows)
        for (start, count), rows in found.items():
            columns = zip(*rows, strict=True)
            medians = [f"{statistics.median(column):.3f}" for column in columns]
            print("", name, start, f"{count:,}", *medians, "", sep=" | ", flush=True)


if __name__ == "__main__":
    try:
        main()
    except UserError as fault:
        sys.exit(str(fault))
