"""The ids under which Gymnasium makes the environments of this package."""

from dataclasses import dataclass
from typing import final

import gymnasium as gym


@final
@dataclass(frozen=True)
class Registration:
    """One id, and how Gymnasium makes it."""

    env_id: str
    entry_point: str
    max_episode_steps: int | None
    reward_threshold: float | None = None


# Limits and thresholds are those of Gymnasium's originals, so that returns compare.
REGISTRATIONS = (
    # The base has its own time limit; a second one would cut episodes twice.
    Registration(
        "rltransfer/Scrambled-v0", "rltransfer_envs.scrambled_env:scramble", None
    ),
    Registration(
        "rltransfer/CartPole-v0",
        "rltransfer_envs.classic_control:cart_pole",
        500,
        475.0,
    ),
    Registration(
        "rltransfer/Acrobot-v0",
        "rltransfer_envs.classic_control:acrobot",
        500,
        -100.0,
    ),
    Registration(
        "rltransfer/Pendulum-v0",
        "rltransfer_envs.classic_control:pendulum",
        200,
    ),
    Registration(
        "rltransfer/MountainCar-v0",
        "rltransfer_envs.classic_control:mountain_car",
        200,
        -110.0,
    ),
    Registration(
        "rltransfer/MountainCarContinuous-v0",
        "rltransfer_envs.classic_control:mountain_car_continuous",
        999,
        90.0,
    ),
    Registration(
        "rltransfer/Swimmer-v0",
        "rltransfer_envs.mujoco_bodies:swimmer",
        1000,
        360.0,
    ),
    Registration(
        "rltransfer/HalfCheetah-v0",
        "rltransfer_envs.mujoco_bodies:half_cheetah",
        1000,
        4800.0,
    ),
)


def register() -> None:
    """Registers every environment of this package with Gymnasium, once."""
    for row in REGISTRATIONS:
        if row.env_id not in gym.registry:
            gym.register(
                id=row.env_id,
                entry_point=row.entry_point,
                max_episode_steps=row.max_episode_steps,
                reward_threshold=row.reward_threshold,
            )
