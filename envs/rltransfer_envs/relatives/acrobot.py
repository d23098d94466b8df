"""Acrobots of other masses, lengths and motors."""

from dataclasses import dataclass
from typing import final

from gymnasium.envs.classic_control.acrobot import AcrobotEnv

from rltransfer_envs.relatives.parameters import read_parameters, require_numbers

ENV_ID = "rltransfer/Acrobot-v0"


@final
@dataclass(frozen=True)
class AcrobotParameters:
    """What tells one acrobot from another; SI units.

    Gravity is not among them: Gymnasium's equations of motion hold it fixed. Neither is
    the goal, which is a matter of angles and stays as it is for every length.
    """

    upper_length: float = 1.0
    lower_length: float = 1.0
    upper_mass: float = 1.0
    lower_mass: float = 1.0
    inertia: float = 1.0
    """Of each link, about its centre of mass."""
    torque: float = 1.0
    """With which the motor turns the elbow, one way or the other."""

    def __post_init__(self) -> None:
        lengths = ("upper_length", "lower_length")
        masses = ("upper_mass", "lower_mass")
        require_numbers(self, positive=(*lengths, *masses, "inertia", "torque"))


def acrobot(*, render_mode: str | None = None, **given: object) -> AcrobotEnv:
    """Returns Gymnasium's acrobot with fields of `AcrobotParameters` changed."""
    parameters = read_parameters(AcrobotParameters, ENV_ID, given)
    env = AcrobotEnv(render_mode=render_mode)
    env.LINK_LENGTH_1 = parameters.upper_length
    env.LINK_LENGTH_2 = parameters.lower_length
    # Links are even rods: what weighs lies in the middle.
    env.LINK_COM_POS_1 = parameters.upper_length / 2
    env.LINK_COM_POS_2 = parameters.lower_length / 2
    env.LINK_MASS_1 = parameters.upper_mass
    env.LINK_MASS_2 = parameters.lower_mass
    env.LINK_MOI = parameters.inertia
    env.AVAIL_TORQUE = [-parameters.torque, 0.0, parameters.torque]
    return env
