"""Half-cheetahs of other weight, strength and gravity."""

from dataclasses import dataclass
from typing import final

import mujoco  # type: ignore[import-untyped]  # ships no types
from gymnasium.envs.mujoco.half_cheetah_v5 import HalfCheetahEnv

from rltransfer_envs.relatives.parameters import read_parameters, require_numbers

ENV_ID = "rltransfer/HalfCheetah-v0"


@final
@dataclass(frozen=True)
class HalfCheetahParameters:
    """What tells one half-cheetah from another."""

    gravity: float = 9.81
    """In metres per second squared."""
    mass: float = 1.0
    """Of every part, as a multiple of the original's."""
    torque: float = 1.0
    """Of every motor, as a multiple of the original's."""

    def __post_init__(self) -> None:
        require_numbers(self, positive=("mass", "torque"), may_be_zero=("gravity",))


def half_cheetah(*, render_mode: str | None = None, **given: object) -> HalfCheetahEnv:
    """Returns Gymnasium's half-cheetah with `HalfCheetahParameters` changed."""
    parameters = read_parameters(HalfCheetahParameters, ENV_ID, given)
    env = HalfCheetahEnv(render_mode=render_mode)
    env.model.opt.gravity[2] = -parameters.gravity
    env.model.body_mass *= parameters.mass
    env.model.body_inertia *= parameters.mass
    env.model.actuator_gear *= parameters.torque
    # MuJoCo keeps numbers that follow from masses; they have to follow again.
    mujoco.mj_setConst(env.model, env.data)
    return env
