"""Published agents of RL Zoo, in a folder beside the repository."""

from pathlib import Path

import pytest

AGENTS = {
    "a2c/LunarLander-v2": "LunarLander-v3",
    "dqn/Acrobot-v1": None,
    "dqn/CartPole-v1": None,
    "dqn/MountainCar-v0": None,
    "ppo/Acrobot-v1": None,
    "ppo/CartPole-v1": None,
    "ppo/HalfCheetah-v3": "HalfCheetah-v5",
    "ppo/Hopper-v3": "Hopper-v5",
    "ppo/LunarLander-v2": "LunarLander-v3",
    "ppo/MountainCar-v0": None,
    "sac/MountainCarContinuous-v0": None,
    "sac/Pendulum-v1": None,
    "sac/Swimmer-v3": "Swimmer-v5",
}
"""By name, and the environment to name where theirs is no longer registered."""
NORMALISED = {"ppo/Acrobot-v1", "ppo/HalfCheetah-v3", "ppo/Hopper-v3"}
NORMALISED |= {"ppo/MountainCar-v0"}

FOLDER = Path(__file__).parents[2] / "shared" / "checkpoints"


def published_folder() -> Path:
    """Returns the folder of the published agents, or skips the test."""
    if not FOLDER.is_dir():
        pytest.skip("published agents are not in ../shared/checkpoints")
    return FOLDER
