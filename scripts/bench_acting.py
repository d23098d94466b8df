"""What acting costs: stock predict, a frozen policy, a policy through a mapping.

Each row is timed in turns with stock `predict` of the same agent on one observation,
so that both see the same load of the machine; the ratio is the median over the turns.
"""

import tempfile
from collections.abc import Callable
from pathlib import Path
from timeit import timeit
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from stable_baselines3 import DQN, PPO, SAC

from rltransfer.domain import Policy, codec_of, observation_codec_of
from rltransfer.mapping import Affine, Mlp, Network
from rltransfer.translation import MappedPolicy, Translation
from rltransfer_agents.loading import load_agent

TURNS, CALLS = 15, 300
AGENTS = {
    "ppo": (PPO, "CartPole-v1", "CartPole-v1"),
    "dqn": (DQN, "MountainCar-v0", "MountainCarContinuous-v0"),
    "sac": (SAC, "Pendulum-v1", "Pendulum-v1"),
}
"""Algorithm, source and target, by name."""


def microseconds(call: Callable[[], object]) -> float:
    """Returns how long one call takes."""
    return 1e6 * timeit(call, number=CALLS) / CALLS


def ratio(
    ours: Callable[[], object], stock: Callable[[], object]
) -> tuple[float, float]:
    """Returns the median ratio of the two, and our microseconds."""
    turns = np.array([(microseconds(ours), microseconds(stock)) for _ in range(TURNS)])
    return float(np.median(turns[:, 0] / turns[:, 1])), float(np.median(turns[:, 0]))


def mapped(
    policy: Policy,
    source: gym.Env[Any, Any],
    target: gym.Env[Any, Any],
    *,
    nonlinear: bool,
) -> Policy:
    """Returns `policy` through a mapping of ordinary size with random numbers."""
    generator = torch.Generator().manual_seed(0)
    ours, theirs = (codec_of(env.action_space, "bench") for env in (source, target))
    states, seen = (
        observation_codec_of(env.observation_space, "bench").size
        for env in (source, target)
    )
    ends = "sum_to_one" if ours.discrete else "identity"
    action: Network = Affine(
        theirs.size, ours.size, activation=ends, generator=generator
    )
    if nonlinear:
        action = Mlp(
            theirs.size,
            (32, 32),
            ours.size,
            output_activation=ends,
            generator=generator,
        )
    translation = Translation(
        Affine(seen, states, generator=generator),
        Affine(states, states, generator=generator),
        Mlp(states, (64, 64), states * ours.size, generator=generator),
        action,
    )
    return MappedPolicy(policy, translation, ours, theirs)


def main() -> None:
    """Prints one line per agent and way of acting."""
    torch.set_num_threads(1)
    print("acting on one observation, against stock predict of the same agent")
    for name, (algorithm, source_id, target_id) in AGENTS.items():
        source, target = gym.make(source_id), gym.make(target_id)
        model = algorithm("MlpPolicy", source, seed=0, device="cpu")
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"{source_id}.zip"
            model.save(path)
            frozen = load_agent(path, env_id=source_id).policy
        observation, _ = source.reset(seed=0)
        other, _ = target.reset(seed=0)

        def stock(model: Policy = model, seen: Any = observation) -> object:
            return model.predict(seen, deterministic=True)

        rows = {
            "frozen, at most 0.15": (frozen, observation),
            "mapped, at most 0.25": (
                mapped(frozen, source, target, nonlinear=False),
                other,
            ),
            "mapped by an MLP, at most 0.25": (
                mapped(frozen, source, target, nonlinear=True),
                other,
            ),
        }
        for row, (policy, seen) in rows.items():

            def ours(policy: Policy = policy, seen: Any = seen) -> object:
                return policy.predict(seen, deterministic=True)

            share, microseconds = ratio(ours, stock)
            print(f"  {name:4s} {row:28s} {share:.3f}  ({microseconds:.1f} µs)")


if __name__ == "__main__":
    main()
