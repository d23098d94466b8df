"""Pendulums of other masses, lengths and motors."""

from dataclasses import dataclass
from typing import final

import numpy as np
from gymnasium import spaces
from gymnasium.envs.classic_control.pendulum import PendulumEnv

from rltransfer_envs.relatives.parameters import read_parameters, require_numbers

ENV_ID = "rltransfer/Pendulum-v0"


@final
@dataclass(frozen=True)
class PendulumParameters:
    """What tells one pendulum from another; SI units."""

    gravity: float = 10.0
    mass: float = 1.0
    length: float = 1.0
    max_torque: float = 2.0
    max_speed: float = 8.0

    def __post_init__(self) -> None:
        require_numbers(
            self,
            positive=("mass", "length", "max_torque", "max_speed"),
            may_be_zero=("gravity",),
        )


def pendulum(*, render_mode: str | None = None, **given: object) -> PendulumEnv:
    """Returns Gymnasium's pendulum with fields of `PendulumParameters` changed."""
    parameters = read_parameters(PendulumParameters, ENV_ID, given)
    env = PendulumEnv(render_mode=render_mode, g=parameters.gravity)
    env.m = parameters.mass
    env.l = parameters.length
    env.max_torque = parameters.max_torque
    env.max_speed = parameters.max_speed  # type: ignore[assignment]  # inferred from 8
    # Gymnasium draws the bounds once, before the changes above.
    torque, farthest = parameters.max_torque, np.array([1.0, 1.0, parameters.max_speed])
    env.action_space = spaces.Box(-torque, torque, (1,), np.float32)
    env.observation_space = spaces.Box(
        (-farthest).astype(np.float32), farthest.astype(np.float32)
    )
    return env
