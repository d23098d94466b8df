"""Agents that stand in for published ones, where these lie: in a folder, on the hub.

They have hardly learnt anything; their files are what Stable-Baselines3 writes.
"""

import shutil
from pathlib import Path

import gymnasium as gym
from stable_baselines3 import A2C, DQN, PPO, SAC
from stable_baselines3.common.vec_env import DummyVecEnv, VecNormalize

COMMIT = "1" * 40
UNTRAINED = ((DQN, "MountainCar-v0"), (PPO, "CartPole-v1"), (SAC, "Pendulum-v1"))
"""Agents that are only read, as the documents show no figure of theirs."""


def stand_in_zoo(folder: Path) -> None:
    """Makes a folder as RL Zoo's, with a few agents in it.

    Args:
        folder: `rl-trained-agents`, wherever it is wanted.
    """
    run = _run(folder, "dqn", "Acrobot-v1")
    DQN("MlpPolicy", gym.make("Acrobot-v1"), seed=0).learn(64).save(run / "Acrobot-v1")
    for algorithm, env_id in UNTRAINED:
        run = _run(folder, algorithm.__name__.lower(), env_id)
        algorithm("MlpPolicy", gym.make(env_id), seed=0).save(run / env_id)
    run = _run(folder, "a2c", "LunarLander-v2")
    A2C("MlpPolicy", gym.make("LunarLander-v3"), seed=0).save(run / "LunarLander-v2")
    run = _run(folder, "ppo", "Hopper-v3")
    hopper = VecNormalize(DummyVecEnv([lambda: gym.make("Hopper-v5")]))
    PPO("MlpPolicy", hopper, seed=0).save(run / "Hopper-v3")
    hopper.save(str(run / "Hopper-v3" / "vecnormalize.pkl"))
    (run / "Hopper-v3" / "config.yml").write_text("normalize: true\n")


def _run(folder: Path, algorithm: str, env_id: str) -> Path:
    run = folder / algorithm / f"{env_id}_1"
    (run / env_id).mkdir(parents=True)
    (run / env_id / "args.yml").write_text(f"env: {env_id}\n")
    return run


def stand_in_cache(home: Path, repository: str, run: Path) -> None:
    """Makes what the hub's client keeps of an agent that it has fetched.

    Args:
        home: what `HF_HOME` names.
        repository: `ORGANISATION/REPOSITORY`.
        run: a run of RL Zoo, whose files are the repository's.
    """
    cache = home / "hub" / f"models--{repository.replace('/', '--')}"
    (cache / "refs").mkdir(parents=True)
    (cache / "refs" / "main").write_text(COMMIT)
    snapshot = cache / "snapshots" / COMMIT
    snapshot.mkdir(parents=True)
    for path in (*run.glob("*.zip"), *run.glob("*/*.yml")):
        shutil.copy(path, snapshot / path.name)
