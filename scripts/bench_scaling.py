"""How costs grow: with dimensions, motors, restarts and rows, on linear worlds.

An update of a stack of restarts, with its share of evaluating all rows after ten, is
timed against one product of the model's hidden layer; matching responses in closed form
against one pass over the rows. Each point is measured in a process of its own, which
also tells the memory that it took beside its rows. Then collecting steps is timed
against the bare environment, and a whole transfer of HalfCheetah is run, from an agent
that has learnt nothing, for its time and memory. `--plot FILE` draws the growth.
"""

import argparse
import multiprocessing
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np
import torch
from matplotlib.figure import Figure
from stable_baselines3 import PPO
from torch import Generator

import rltransfer
from rltransfer.alignment.response_config import ResponseConfig
from rltransfer.alignment.responses import Responses, episodes_of, matching_turns
from rltransfer.domain import Domain, Policy, Transitions
from rltransfer.mapping import (
    Affine,
    DomainMapping,
    DynamicsAgreement,
    FitConfig,
    MomentMatching,
    WeightedSum,
    fit,
)
from rltransfer.source_models import ControlAffineModel, LearnConfig
from rltransfer.wrappers import CheckedEnv, CountedEnv, StepBudget
from rltransfer.wrappers.replayable_env import ReplayableEnv

BASE = {"dimensions": 8, "motors": 2, "restarts": 16, "rows": 4000}
SWEEPS = {
    "dimensions": (4, 8, 16, 32, 64),
    "motors": (1, 2, 4, 8, 12),
    "restarts": (1, 4, 16, 64, 256),
    "rows": (1_000, 10_000, 100_000, 1_000_000),
}
UPDATES, BATCH, EPISODE, TURNS = 10, 256, 200, 3
MEBIBYTE = 2**20 if sys.platform == "darwin" else 2**10
"""In the units of `ru_maxrss`."""


class Cost(NamedTuple):
    """What one point costs."""

    milliseconds: float
    ratio: float
    """To what it is timed against."""
    mebibytes: float


def linear_world(dimensions: int, motors: int, rows: int) -> Transitions:
    """Returns steps of a damped linear world, each from a state of its own."""
    generator = Generator().manual_seed(0)
    push = torch.rand(rows, motors, generator=generator) * 2 - 1
    gain = torch.randn(motors, dimensions, generator=generator) / dimensions**0.5
    states = torch.randn(rows + 1, dimensions, generator=generator)
    moved = 0.9 * states[:-1] + push @ gain
    return Transitions(
        torch.arange(rows) // EPISODE,
        states[:-1],
        push,
        states[:-1, 0],
        moved,
        torch.zeros(rows, dtype=torch.bool),
        torch.arange(rows) % EPISODE == EPISODE - 1,
    )


def fitting(dimensions: int, motors: int, restarts: int, rows: int) -> Cost:
    """Returns what an update of restarts of affine maps costs."""
    generator = Generator().manual_seed(0)
    world = linear_world(dimensions, motors, rows)
    model = ControlAffineModel.untrained(world[:4000], LearnConfig(), generator)
    model.requires_grad_(False)
    world = model.standardised(world)
    mapping = DomainMapping(
        Affine(dimensions, dimensions, copies=restarts, generator=generator),
        Affine(motors, motors, copies=restarts, generator=generator),
    )
    moments = MomentMatching.of(world.observation)
    objective = WeightedSum(((1.0, DynamicsAgreement(model)), (0.5, moments)))
    config = FitConfig(updates=UPDATES, batch_size=BATCH)

    def product() -> None:
        torch.randn(restarts * BATCH, 64) @ torch.randn(64, 64)

    def update() -> None:
        fit(mapping, objective, world, config, generator=generator)

    return cost(update, product, UPDATES)


def matching(dimensions: int, motors: int, restarts: int, rows: int) -> Cost:
    """Returns what it costs to match responses for one wiring; nothing is fitted."""
    del restarts  # there are none
    episodes = episodes_of(linear_world(dimensions, motors, rows))
    config, wiring = ResponseConfig(), np.eye(motors)

    def match() -> None:
        shown = Responses.of(episodes, config)
        matching_turns(shown, shown, wiring, config, np.random.default_rng(0))

    return cost(match, lambda: [e.states.T @ e.states for e in episodes], 1)


def cost(ours: Callable[[], object], theirs: Callable[[], object], parts: int) -> Cost:
    """Returns what one of the equal parts of `ours` costs.

    Args:
        ours: is called first to warm up; memory is what all calls added at most.
        theirs: what it is timed against, in turns.
        parts: of `ours`.
    """
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    ours()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    turns = np.array([(seconds(ours) / parts, seconds(theirs)) for _ in range(TURNS)])
    ratio = float(np.median(turns[:, 0] / turns[:, 1]))
    milliseconds = 1e3 * float(np.median(turns[:, 0]))
    return Cost(milliseconds, ratio, (peak - before) / MEBIBYTE)


def seconds(call: Callable[[], object]) -> float:
    """Returns how long a call takes."""
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


MEASURED = {"an update": fitting, "matching responses": matching}


def growth() -> dict[tuple[str, str], list[Cost]]:
    """Returns the costs of each sweep, by what is measured and what grows; prints them.

    A row ends in the power with which time grows from the first point to the last.
    """
    found: dict[tuple[str, str], list[Cost]] = {}
    for what, measure in MEASURED.items():
        for name, sizes in SWEEPS.items():
            if measure is matching and name == "restarts":
                continue
            costs = [apart(measure, BASE | {name: size}) for size in sizes]
            found[what, name] = costs
            power = np.log(costs[-1].milliseconds / costs[0].milliseconds) / np.log(
                sizes[-1] / sizes[0]
            )
            cells = ", ".join(
                f"{size:,}: {point.milliseconds:.2f} ms ({point.ratio:.0f} x, "
                f"{point.mebibytes:.0f} MiB)"
                for size, point in zip(sizes, costs, strict=True)
            )
            print(f"  {what} by {name}: {cells}; power {power:.2f}", flush=True)
    return found


def apart(measure: Callable[..., Cost], sizes: Mapping[str, int]) -> Cost:
    """Returns what is measured in a process of its own."""
    with multiprocessing.get_context("fork").Pool(1) as pool:
        return pool.apply(measure, kwds=dict(sizes))


def plot(path: Path, found: Mapping[tuple[str, str], list[Cost]]) -> None:
    """Draws time and memory against size, with a line of power one."""
    figure = Figure(figsize=(13, 5.5), dpi=80, layout="constrained")
    axes = figure.subplots(2, len(SWEEPS))
    for column, (name, sizes) in enumerate(SWEEPS.items()):
        time_panel, memory_panel = axes[:, column]
        for what in MEASURED:
            costs = found.get((what, name), [])
            if costs:
                times = [point.milliseconds for point in costs]
                time_panel.loglog(sizes, times, "o-", label=what)
                straight = [times[-1] * size / sizes[-1] for size in sizes]
                time_panel.loglog(sizes, straight, ":", color="gray", lw=1)
                memory_panel.semilogx(sizes, [p.mebibytes for p in costs], "o-")
        for panel in (time_panel, memory_panel):
            panel.set_xticks(sizes, [f"{size:,}" for size in sizes])
            panel.minorticks_off()
            panel.grid(alpha=0.3)
        memory_panel.set(xlabel=name, ylim=(0, None))
    axes[0, 0].set(ylabel="milliseconds")
    axes[1, 0].set(ylabel="MiB beside the rows")
    axes[0, 0].legend(fontsize=8)
    figure.suptitle("Cost by size; dotted: linear in size")
    figure.savefig(path, metadata={"Software": None})


def collecting() -> None:
    """Prints how fast steps are collected, as a share of the bare environment's."""
    for env_id, steps in (("CartPole-v1", 2000), ("HalfCheetah-v5", 1000)):
        checked = ReplayableEnv(CheckedEnv(gym.make(env_id), env_id, np.float32))
        bare, ours = gym.make(env_id), CountedEnv(checked, StepBudget())
        bare.action_space.seed(0)
        actions = [bare.action_space.sample() for _ in range(steps)]
        domain = Domain(partial(gym.make, env_id), env_id)
        policy = untrained(env_id)

        def act(
            domain: Domain = domain, policy: Policy = policy, n: int = steps
        ) -> None:
            domain.collect(policy, purpose="bench", seed=0, steps=n)

        turns = np.array(
            [(take(bare, actions), take(ours, actions), seconds(act)) for _ in range(9)]
        )
        given, acted = np.median(turns[:, :1] / turns[:, 1:], axis=0)
        least = 0.6 if env_id == "CartPole-v1" else 0.9
        print(f"  {env_id}, at least {least}: {given:.2f}; with acting {acted:.2f}")


def take(env: gym.Env[Any, Any], actions: list[Any]) -> float:
    """Returns how long given actions take."""
    env.reset(seed=0)
    began = time.perf_counter()
    for action in actions:
        _, _, terminated, truncated, _ = env.step(action)
        if terminated or truncated:
            env.reset()
    return time.perf_counter() - began


def untrained(env_id: str) -> Policy:
    """Returns the frozen policy of an agent that has learnt nothing."""
    with tempfile.TemporaryDirectory() as folder:
        return rltransfer.load_agent(saved(env_id, Path(folder))).policy


def saved(env_id: str, folder: Path) -> Path:
    """Returns the file of an agent that has learnt nothing."""
    path = folder / f"{env_id}.zip"
    PPO("MlpPolicy", gym.make(env_id), seed=0, device="cpu").save(path)
    return path


def whole_transfer() -> None:
    """Prints seconds and peak memory of a transfer of HalfCheetah."""
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        rltransfer.transfer(
            saved("HalfCheetah-v5", Path(folder)),
            "rltransfer/Scrambled-v0",
            target_kwargs={"base": "HalfCheetah-v5", "seed": 100},
            source_env="HalfCheetah-v5",
            steps=12_000,
            weak_source=True,
            log_folder=folder,
            cache=False,
        )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / MEBIBYTE
    print(
        f"  peak memory, at most 1536 MiB: {peak:.0f} MiB; "
        f"{time.perf_counter() - began:.0f} s"
    )


def main() -> None:
    """Prints all, and draws the growth where asked to."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--plot", type=Path, help="file to draw the growth into")
    options = parser.parse_args()
    torch.set_num_threads(1)
    print("growth on linear worlds: time (against a product), memory on top")
    found = growth()
    if options.plot is not None:
        plot(options.plot, found)
    print("collecting with given actions, as a share of the bare environment's rate")
    collecting()
    print("a transfer of HalfCheetah with 12,000 steps")
    whole_transfer()


if __name__ == "__main__":
    main()
