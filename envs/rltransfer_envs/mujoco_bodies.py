"""Half-cheetahs and swimmers with weight, strength and links as parameters."""

import copy
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import final

from gymnasium.envs.mujoco import mujoco_env
from gymnasium.envs.mujoco.half_cheetah_v5 import HalfCheetahEnv
from gymnasium.envs.mujoco.swimmer_v5 import SwimmerEnv

from rltransfer.errors import InputError
from rltransfer_envs.parametrised import Parameters, read_parameters


@final
@dataclass(frozen=True)
class HalfCheetahParameters(Parameters):
    """Parameters of a half-cheetah."""

    gravity: float = 9.81
    """In metres per second squared."""
    mass: float = 1.0
    """Of every part, as a multiple of the original's."""
    torque: float = 1.0
    """Of every motor, as a multiple of the original's."""


def half_cheetah(*, render_mode: str | None = None, **given: object) -> HalfCheetahEnv:
    """Returns Gymnasium's half-cheetah with `HalfCheetahParameters` changed."""
    parameters = read_parameters(
        HalfCheetahParameters, "rltransfer/HalfCheetah-v0", given
    )
    env = HalfCheetahEnv(render_mode=render_mode)
    env.model.opt.gravity[2] = -parameters.gravity
    env.model.body_mass *= parameters.mass
    env.model.body_inertia *= parameters.mass
    env.model.actuator_gear *= parameters.torque
    # Imported here, so that Gymnasium reports a missing MuJoCo, with the remedy.
    import mujoco  # type: ignore[import-untyped]  # ships no types

    # MuJoCo stores numbers derived from masses; they have to be derived again.
    mujoco.mj_setConst(env.model, env.data)
    return env


@final
@dataclass(frozen=True)
class SwimmerParameters:
    """Parameters of a swimmer."""

    links: int = 3
    """Rigid parts, with a motor between each and the next."""

    def __post_init__(self) -> None:
        if self.links < 2:
            raise InputError(f"links must be 2 or more, got {self.links}")


def swimmer(*, render_mode: str | None = None, **given: object) -> SwimmerEnv:
    """Returns Gymnasium's swimmer with fields of `SwimmerParameters` changed."""
    parameters = read_parameters(SwimmerParameters, "rltransfer/Swimmer-v0", given)
    # Gymnasium reads the file once; it is not needed afterwards.
    with TemporaryDirectory() as folder:
        body = Path(folder) / "swimmer.xml"
        body.write_text(swimmer_xml(parameters.links), encoding="utf-8")
        return SwimmerEnv(xml_file=str(body), render_mode=render_mode)


def swimmer_xml(links: int) -> str:
    """Returns Gymnasium's own description of a swimmer, with this many links."""
    original = Path(mujoco_env.__file__).parent / "assets" / "swimmer.xml"
    root = ElementTree.fromstring(original.read_text(encoding="utf-8"))
    middle, motors = root.find(".//body[@name='mid']"), root.find("actuator")
    tail = root.find(".//body[@name='back']")
    if middle is None or tail is None or motors is None:
        raise RuntimeError(f"{original} no longer describes a swimmer as known here")
    motor = motors[1]
    middle.remove(tail)
    motors.remove(motor)
    parent = middle
    for number in range(2, links):
        link, drive = copy.deepcopy(tail), copy.deepcopy(motor)
        link.set("name", f"link{number}")
        for joint in link.iter("joint"):
            joint.set("name", f"motor{number}_rot")
        drive.set("joint", f"motor{number}_rot")
        parent.append(link)
        motors.append(drive)
        parent = link
    return ElementTree.tostring(root, encoding="unicode")
