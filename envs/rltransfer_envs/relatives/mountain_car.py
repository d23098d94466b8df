"""Mountain cars of other engines, on other planets."""

from dataclasses import dataclass
from typing import final

from gymnasium.envs.classic_control.continuous_mountain_car import (
    Continuous_MountainCarEnv,
)
from gymnasium.envs.classic_control.mountain_car import MountainCarEnv

from rltransfer_envs.relatives.parameters import read_parameters, require_numbers

ENV_ID = "rltransfer/MountainCar-v0"
CONTINUOUS_ENV_ID = "rltransfer/MountainCarContinuous-v0"


@final
@dataclass(frozen=True)
class MountainCarParameters:
    """What tells one mountain car from another; Gymnasium's units, per step squared."""

    gravity: float = 0.0025
    force: float = 0.001

    def __post_init__(self) -> None:
        require_numbers(self, positive=("force",), may_be_zero=("gravity",))


@final
@dataclass(frozen=True)
class MountainCarContinuousParameters:
    """What tells one continuous mountain car from another; units as above.

    Gravity is not among them: Gymnasium's continuous car holds it fixed.
    """

    power: float = 0.0015

    def __post_init__(self) -> None:
        require_numbers(self, positive=("power",))


def mountain_car(*, render_mode: str | None = None, **given: object) -> MountainCarEnv:
    """Returns Gymnasium's car with fields of `MountainCarParameters` changed."""
    parameters = read_parameters(MountainCarParameters, ENV_ID, given)
    env = MountainCarEnv(render_mode=render_mode)
    env.gravity = parameters.gravity
    env.force = parameters.force
    return env


def mountain_car_continuous(
    *, render_mode: str | None = None, **given: object
) -> Continuous_MountainCarEnv:
    """Returns the car with fields of `MountainCarContinuousParameters` changed."""
    parameters = read_parameters(
        MountainCarContinuousParameters, CONTINUOUS_ENV_ID, given
    )
    env = Continuous_MountainCarEnv(render_mode=render_mode)
    env.power = parameters.power
    return env
