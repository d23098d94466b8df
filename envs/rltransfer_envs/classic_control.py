"""Classic control tasks with masses, lengths, motors and gravity as parameters."""

from dataclasses import dataclass
from typing import Any, final

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from gymnasium.envs.classic_control.acrobot import AcrobotEnv
from gymnasium.envs.classic_control.cartpole import CartPoleEnv
from gymnasium.envs.classic_control.continuous_mountain_car import (
    Continuous_MountainCarEnv,
)
from gymnasium.envs.classic_control.mountain_car import MountainCarEnv
from gymnasium.envs.classic_control.pendulum import PendulumEnv
from typing_extensions import override

from rltransfer_envs.parametrised import Parameters, read_parameters


@final
@dataclass(frozen=True)
class AcrobotParameters(Parameters):
    """Parameters of an acrobot; SI units.

    Gravity is not among them: Gymnasium's equations of motion hold it fixed. Neither is
    the goal, which depends on angles only and is the same for every length.
    """

    upper_length: float = 1.0
    lower_length: float = 1.0
    upper_mass: float = 1.0
    lower_mass: float = 1.0
    inertia: float = 1.0
    """Of each link, about its centre of mass."""
    torque: float = 1.0
    """Of the motor at the elbow, in either direction."""


def acrobot(*, render_mode: str | None = None, **given: object) -> AcrobotEnv:
    """Returns Gymnasium's acrobot with fields of `AcrobotParameters` changed."""
    parameters = read_parameters(AcrobotParameters, "rltransfer/Acrobot-v0", given)
    env = AcrobotEnv(render_mode=render_mode)
    env.LINK_LENGTH_1 = parameters.upper_length
    env.LINK_LENGTH_2 = parameters.lower_length
    # Links are uniform rods: their centre of mass is in the middle.
    env.LINK_COM_POS_1 = parameters.upper_length / 2
    env.LINK_COM_POS_2 = parameters.lower_length / 2
    env.LINK_MASS_1 = parameters.upper_mass
    env.LINK_MASS_2 = parameters.lower_mass
    env.LINK_MOI = parameters.inertia
    env.AVAIL_TORQUE = [-parameters.torque, 0.0, parameters.torque]
    return env


@final
@dataclass(frozen=True)
class CartPoleParameters(Parameters):
    """Parameters of a cart-pole; SI units."""

    gravity: float = 9.8
    cart_mass: float = 1.0
    pole_mass: float = 0.1
    pole_length: float = 0.5
    """From the pivot to the centre of mass."""
    force: float = 10.0
    """Of the motor, in either direction."""


def cart_pole(*, render_mode: str | None = None, **given: object) -> CartPoleEnv:
    """Returns Gymnasium's cart-pole with fields of `CartPoleParameters` changed."""
    parameters = read_parameters(CartPoleParameters, "rltransfer/CartPole-v0", given)
    env = CartPoleEnv(render_mode=render_mode)
    env.gravity = parameters.gravity
    env.masscart = parameters.cart_mass
    env.masspole = parameters.pole_mass
    env.length = parameters.pole_length
    env.force_mag = parameters.force
    # Gymnasium derives these once, before the changes above.
    env.total_mass = env.masspole + env.masscart
    env.polemass_length = env.masspole * env.length
    return env


@final
@dataclass(frozen=True)
class MountainCarParameters(Parameters):
    """Parameters of a mountain car; Gymnasium's units, per step squared."""

    gravity: float = 0.0025
    force: float = 0.001


@final
@dataclass(frozen=True)
class MountainCarContinuousParameters(Parameters):
    """Parameters of a continuous mountain car; units as above.

    Gravity is not among them: Gymnasium's continuous car holds it fixed.
    """

    power: float = 0.0015


def mountain_car(*, render_mode: str | None = None, **given: object) -> MountainCarEnv:
    """Returns Gymnasium's car with fields of `MountainCarParameters` changed."""
    parameters = read_parameters(
        MountainCarParameters, "rltransfer/MountainCar-v0", given
    )
    env = MountainCarEnv(render_mode=render_mode)
    env.gravity = parameters.gravity
    env.force = parameters.force
    return env


def mountain_car_continuous(
    *, render_mode: str | None = None, **given: object
) -> Continuous_MountainCarEnv:
    """Returns the car with fields of `MountainCarContinuousParameters` changed."""
    parameters = read_parameters(
        MountainCarContinuousParameters, "rltransfer/MountainCarContinuous-v0", given
    )
    env = Continuous_MountainCarEnv(render_mode=render_mode)
    env.power = parameters.power
    return env


@final
class GoalOnTheLeft(gym.Wrapper[Any, Any, Any, Any]):
    """A continuous mountain car that is paid for climbing the hill behind it.

    The goal is mirrored about the bottom of the valley, so the hill is as high, and the
    track is as long behind it; the other hill and the cost of actions stay.
    """

    def __init__(self, env: Continuous_MountainCarEnv) -> None:
        super().__init__(env)
        self._car = env
        # Never fast enough for the goal that Gymnasium would pay for.
        env.goal_velocity = np.inf
        env.goal_position = -np.pi / 3 - env.goal_position
        env.min_position = -np.pi / 3 - env.max_position - 0.15
        env.low_state = np.array([env.min_position, -env.max_speed], np.float32)
        self.observation_space = spaces.Box(env.low_state, env.high_state)

    @override
    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        observation, reward, terminated, truncated, info = self._car.step(action)
        if observation[0] <= self._car.goal_position:
            reward, terminated = reward + 100.0, True
        return observation, reward, terminated, truncated, info


def mountain_car_left(*, render_mode: str | None = None, **given: object) -> gym.Env:
    """Returns a continuous car with the goal on its left; takes the same parameters."""
    return GoalOnTheLeft(mountain_car_continuous(render_mode=render_mode, **given))


@final
@dataclass(frozen=True)
class PendulumParameters(Parameters):
    """Parameters of a pendulum; SI units."""

    gravity: float = 10.0
    mass: float = 1.0
    length: float = 1.0
    max_torque: float = 2.0
    max_speed: float = 8.0


def pendulum(*, render_mode: str | None = None, **given: object) -> PendulumEnv:
    """Returns Gymnasium's pendulum with fields of `PendulumParameters` changed."""
    parameters = read_parameters(PendulumParameters, "rltransfer/Pendulum-v0", given)
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
