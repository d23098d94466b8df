"""What safety costs: checks of every step, snapshots, reading an agent.

Checks and steps are timed in turns on the same environments, so that both see the
same load of the machine; shares are medians over the turns. Snapshots are timed
within one training, and their share is of it.
"""

import tempfile
import time
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch
from stable_baselines3 import DQN, PPO, SAC

from bench_acting import microseconds
from rltransfer.wrappers import CheckedEnv, ReplayableEnv, StepTimeout, check_together
from rltransfer_agents.loading import load_agent
from rltransfer_agents.training import TrainConfig, train_source
from rltransfer_agents.training.snapshots import SnapshotFiles
from rltransfer_agents.training.vector_env import VectorEnv
from rltransfer_envs.making import make

TURNS = 21
TRAININGS: dict[str, tuple[Any, str, int]] = {
    "ppo": (PPO, "CartPole-v1", 60_000),
    "dqn": (DQN, "CartPole-v1", 30_000),
    "sac": (SAC, "Pendulum-v1", 3_000),
}
"""Algorithm, environment and steps, by name."""


def nothing() -> None:
    """Costs what calling costs."""


def checked(count: int) -> None:
    """Prints what checking costs of a step of `count` environments in a vector."""
    with StepTimeout().active() as timeout:
        checked_envs = [
            CheckedEnv(make("CartPole-v1"), f"CartPole-v1 ({i})") for i in range(count)
        ]
        envs = VectorEnv([ReplayableEnv(env) for env in checked_envs], timeout)
        envs.seed(0)
        envs.reset()
        rng = np.random.default_rng(0)
        actions = rng.integers(2, size=(1 << 9, count))
        learner = PPO("MlpPolicy", envs, seed=0, device="cpu")
        shown = [checked.env.reset(seed=0)[0] for checked in checked_envs]
        rewards = [1.0] * count
        places = iter(range(1 << 60))
        last: list[Any] = [envs.reset()]

        def step() -> None:
            envs.step(actions[next(places) % len(actions)])

        def collected() -> None:
            # As a rollout is collected: the policy acts, then the environments step.
            with torch.no_grad():
                chosen = learner.policy(torch.as_tensor(last[0]))[0]
            last[0] = envs.step(chosen.numpy())[0]

        def check() -> None:
            check_together(checked_envs, shown, rewards)

        def stack() -> None:
            # What any vector of environments does, checked or not.
            np.array(shown)

        def guard() -> None:
            for checked in checked_envs:
                timeout.calls += 1
                timeout.running = checked.timeout_fault
                timeout.running = None

        rows = []
        for _ in range(TURNS):
            idle = microseconds(nothing)
            cost = microseconds(check) + microseconds(guard) - idle
            cost -= microseconds(stack)
            bare, whole = microseconds(step), microseconds(collected)
            rows.append((cost / count, cost / bare, cost / whole))
        cost, of_step, of_collecting = np.median(rows, axis=0)
        print(
            f"  {count:2d} CartPole-v1: {cost:.2f} µs a step, {of_step:.1%} of a "
            f"step alone, {of_collecting:.1%} of one with its action (at most 3 %)"
        )


def snapshots(algorithm: str) -> None:
    """Prints the share of a training that its snapshots take."""
    _, env_id, steps = TRAININGS[algorithm]
    spent: list[float] = []
    write = SnapshotFiles.write

    def timed(*arguments: Any) -> None:
        began = time.perf_counter()
        write(*arguments)
        spent.append(time.perf_counter() - began)

    with (
        tempfile.TemporaryDirectory() as folder,
        mock.patch.object(SnapshotFiles, "write", timed),
    ):
        run = train_source(
            TrainConfig(
                env_id,
                algorithm,
                Path(folder),
                steps=steps,
                evaluations=0,
                snapshot_seconds=0.5,
            )
        )
    print(
        f"  {algorithm}: {len(spent)} in {run.seconds:.1f} s, "
        f"{1e3 * float(np.mean(spent)):.1f} ms each, "
        f"{sum(spent) / run.seconds:.2%} of training (at most 2 %)"
    )


def reading() -> None:
    """Prints how long reading an agent takes."""
    for algorithm, (kind, env_id, _) in TRAININGS.items():
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"{env_id}.zip"
            kind("MlpPolicy", env_id, seed=0, device="cpu").save(path)
            taken = []
            for _ in range(TURNS):
                began = time.perf_counter()
                load_agent(path)
                taken.append(1e3 * (time.perf_counter() - began))
        print(f"  {algorithm}: {np.median(taken):.1f} ms (at most 100)")


def main() -> None:
    """Prints all three."""
    torch.set_num_threads(1)
    print("checks of every step")
    for count in (1, 8, 64):
        checked(count)
    print("snapshots, as often as twice a second where they may")
    for algorithm in TRAININGS:
        snapshots(algorithm)
    print("reading an agent's zip")
    reading()


if __name__ == "__main__":
    main()
