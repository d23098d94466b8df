"""Bodies of Gymnasium's MuJoCo environments with other legs, links, joints or weight.

Each is written as XML from Gymnasium's own description; with the numbers that stand
there it is the original.
"""

import copy
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar, final

import numpy as np
from gymnasium import spaces
from gymnasium.envs.mujoco import mujoco_env
from gymnasium.envs.mujoco.half_cheetah_v5 import HalfCheetahEnv
from gymnasium.envs.mujoco.hopper_v5 import HopperEnv
from gymnasium.envs.mujoco.reacher_v5 import ReacherEnv
from gymnasium.envs.mujoco.swimmer_v5 import SwimmerEnv
from numpy.typing import NDArray
from typing_extensions import override

from rltransfer.errors import InputError
from rltransfer_envs.parametrised import Parameters, read_parameters

Part = ElementTree.Element
E = TypeVar("E", bound=mujoco_env.MujocoEnv)


@final
@dataclass(frozen=True)
class HalfCheetahParameters(Parameters):
    """Parameters of a half-cheetah, which always weighs 14 kg times `mass`."""

    gravity: float = 9.81
    """In metres per second squared."""
    mass: float = 1.0
    """Of every part, as a multiple of the original's."""
    torque: float = 1.0
    """Of every motor, as a multiple of the original's."""
    torso: float = 1.0
    """Length and width of trunk and head, as a multiple of the original's."""
    armature: float = 1.0
    """Inertia of the motors' rotors, as a multiple of the original's."""
    legs: int = 2
    """A third is like the hind leg and hangs from the middle of the trunk."""

    def __post_init__(self) -> None:
        Parameters.__post_init__(self)
        if self.legs not in (2, 3):
            raise InputError(f"legs must be 2 or 3, got {self.legs}")


def half_cheetah(*, render_mode: str | None = None, **given: object) -> HalfCheetahEnv:
    """Returns Gymnasium's half-cheetah with `HalfCheetahParameters` changed."""
    parameters = read_parameters(
        HalfCheetahParameters, "rltransfer/HalfCheetah-v0", given
    )
    body = half_cheetah_xml(parameters.legs, parameters.torso)
    env = _embodied(HalfCheetahEnv, body, render_mode)
    env.model.opt.gravity[2] = -parameters.gravity
    env.model.body_mass *= parameters.mass
    env.model.body_inertia *= parameters.mass
    env.model.actuator_gear *= parameters.torque
    env.model.dof_armature *= parameters.armature
    _derive_again(env)
    return env


def half_cheetah_xml(legs: int, torso: float) -> str:
    """Returns a half-cheetah's description; its motors go from back to front."""
    root = _original("half_cheetah.xml")
    trunk = _scaled(_part(root, ".//body[@name='torso']"), torso)
    if legs == 3:
        leg = copy.deepcopy(_part(trunk, "body[@name='bthigh']"))
        leg.set("pos", "0 0 0")
        motors = _part(root, "actuator")
        drives = copy.deepcopy(motors[:3])
        for part in [*leg.iter(), *drives]:
            for name in {"name", "joint"}.intersection(part.keys()):
                part.set(name, "m" + part.attrib[name][1:])
        trunk.insert(list(trunk).index(_part(trunk, "body[@name='fthigh']")), leg)
        motors[3:3] = drives
    return ElementTree.tostring(root, encoding="unicode")


@final
@dataclass(frozen=True)
class HopperParameters(Parameters):
    """Parameters of a hopper, each a multiple of the original's."""

    torso: float = 1.0
    """Length and width of the trunk; it weighs the more, and its centre is higher."""
    armature: float = 1.0
    """Inertia of the motors' rotors."""


def hopper(*, render_mode: str | None = None, **given: object) -> HopperEnv:
    """Returns Gymnasium's hopper with fields of `HopperParameters` changed."""
    parameters = read_parameters(HopperParameters, "rltransfer/Hopper-v0", given)
    env = _embodied(HopperEnv, hopper_xml(parameters.torso), render_mode)
    env.model.dof_armature *= parameters.armature
    _derive_again(env)
    return env


def hopper_xml(torso: float) -> str:
    """Returns a hopper's description; its foot stays where it is."""
    root = _original("hopper.xml")
    trunk = _part(root, ".//body[@name='torso']")
    hip = _part(trunk, "body[@name='thigh']")
    before = float(hip.attrib["pos"].split()[2])
    _scaled(trunk, torso)
    raised = before - float(hip.attrib["pos"].split()[2])
    height = float(trunk.attrib["pos"].split()[2]) + raised
    trunk.set("pos", f"0 0 {height!r}")
    # What they measure is counted from the ground.
    for name in ("rootx", "rootz"):
        _part(trunk, f"joint[@name='{name}']").set("pos", f"0 0 {-height!r}")
    _part(trunk, "joint[@name='rootz']").set("ref", repr(height))
    return ElementTree.tostring(root, encoding="unicode")


@final
@dataclass(frozen=True)
class ReacherParameters:
    """Parameters of a reacher."""

    joints: int = 2
    """Each has a motor and a link; together the links are as long as the original's."""

    def __post_init__(self) -> None:
        if self.joints < 2:
            raise InputError(f"joints must be 2 or more, got {self.joints}")


@final
class JointedReacherEnv(ReacherEnv):
    """Gymnasium's reacher, which shows two joints only, showing all of them."""

    @override
    def _get_obs(self) -> NDArray[np.float64]:
        joints, angles = self.model.nu, self.data.qpos
        gap = self.data.body("fingertip").xpos - self.data.body("target").xpos
        angle, target = angles[:joints], angles[joints:]
        turning = self.data.qvel[:joints]
        return np.concatenate([np.cos(angle), np.sin(angle), target, turning, gap[:2]])


def reacher(*, render_mode: str | None = None, **given: object) -> JointedReacherEnv:
    """Returns Gymnasium's reacher with fields of `ReacherParameters` changed.

    It shows the cosines and the sines of all angles, the target's position, the angular
    velocities, and the way from the target to the fingertip.
    """
    parameters = read_parameters(ReacherParameters, "rltransfer/Reacher-v0", given)
    body = reacher_xml(parameters.joints)
    env = _embodied(JointedReacherEnv, body, render_mode)
    size = 3 * parameters.joints + 4
    env.observation_space = spaces.Box(-np.inf, np.inf, (size,), np.float64)
    return env


def reacher_xml(joints: int) -> str:
    """Returns a reacher's description, all links of the same length."""
    root = _original("reacher.xml")
    motors, link = _part(root, "actuator"), _part(root, ".//body[@name='body1']")
    # The last one ends a fingertip's radius before the fingertip.
    length = 2 * float(link.attrib["pos"].split()[0]) / joints
    for number in range(2, joints):
        tip = _part(link, "body[@name='fingertip']")
        link.remove(tip)
        further, drive = copy.deepcopy(link), copy.deepcopy(motors[1])
        further.set("name", f"body{number}")
        _part(further, "joint").set("name", f"joint{number}")
        _part(further, "geom").set("name", f"link{number}")
        drive.set("joint", f"joint{number}")
        further.append(tip)
        link.append(further)
        motors.append(drive)
        link = further
    for number in range(joints):
        link = _part(root, f".//body[@name='body{number}']")
        _part(link, "geom").set("fromto", f"0 0 0 {length!r} 0 0")
        if number > 0:
            link.set("pos", f"{length!r} 0 0")
    _part(link, "body[@name='fingertip']").set("pos", f"{length + 0.01!r} 0 0")
    return ElementTree.tostring(root, encoding="unicode")


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
    return _embodied(SwimmerEnv, swimmer_xml(parameters.links), render_mode)


def swimmer_xml(links: int) -> str:
    """Returns a swimmer's description, with this many links in a row."""
    root = _original("swimmer.xml")
    middle, motors = _part(root, ".//body[@name='mid']"), _part(root, "actuator")
    tail, motor = _part(middle, "body[@name='back']"), motors[1]
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


def _original(file: str) -> Part:
    path = Path(mujoco_env.__file__).parent / "assets" / file
    return ElementTree.fromstring(path.read_text(encoding="utf-8"))


def _part(within: Part, path: str) -> Part:
    found = within.find(path)
    if found is None:
        raise RuntimeError(f"Gymnasium's description has no {path} any more")
    return found


def _scaled(body: Part, factor: float) -> Part:
    """Scales a body's own shapes, and where other bodies are attached to it."""
    for part in [*body.findall("geom"), *body.findall("body")]:
        for name in {"pos", "size", "fromto"}.intersection(part.keys()):
            numbers = [factor * float(word) for word in part.attrib[name].split()]
            part.set(name, " ".join(map(repr, numbers)))
    return body


def _embodied(kind: Callable[..., E], xml: str, render_mode: str | None) -> E:
    """Returns an environment of this kind whose body is described by `xml`."""
    # Gymnasium reads the file once; it is not needed afterwards.
    with TemporaryDirectory() as folder:
        body = Path(folder) / "body.xml"
        body.write_text(xml, encoding="utf-8")
        return kind(xml_file=str(body), render_mode=render_mode)


def _derive_again(env: mujoco_env.MujocoEnv) -> None:
    """Derives the numbers that MuJoCo stores and that depend on changed ones."""
    # Imported here, so that Gymnasium reports a missing MuJoCo, with the remedy.
    import mujoco  # type: ignore[import-untyped]  # ships no types

    mujoco.mj_setConst(env.model, env.data)
