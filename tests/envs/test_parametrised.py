import xml.etree.ElementTree as ElementTree
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.envs.mujoco.hopper_v5 import HopperEnv
from gymnasium.envs.mujoco.mujoco_env import MujocoEnv

from rltransfer.errors import InputError
from rltransfer_envs.classic_control import AcrobotParameters, CartPoleParameters
from rltransfer_envs.making import make
from rltransfer_envs.mujoco_bodies import SwimmerParameters, swimmer_xml

ORIGINALS = {
    "rltransfer/CartPole-v0": "CartPole-v1",
    "rltransfer/Acrobot-v0": "Acrobot-v1",
    "rltransfer/Pendulum-v0": "Pendulum-v1",
    "rltransfer/MountainCar-v0": "MountainCar-v0",
    "rltransfer/MountainCarContinuous-v0": "MountainCarContinuous-v0",
    "rltransfer/Swimmer-v0": "Swimmer-v5",
    "rltransfer/HalfCheetah-v0": "HalfCheetah-v5",
    "rltransfer/Hopper-v0": "Hopper-v5",
    "rltransfer/Reacher-v0": "Reacher-v5",
}

CHANGES: list[tuple[str, dict[str, float]]] = [
    ("rltransfer/CartPole-v0", {"gravity": 5.0}),
    ("rltransfer/CartPole-v0", {"cart_mass": 2.0}),
    ("rltransfer/CartPole-v0", {"pole_mass": 0.5}),
    ("rltransfer/CartPole-v0", {"pole_length": 1.0}),
    ("rltransfer/CartPole-v0", {"force": 5.0}),
    ("rltransfer/Acrobot-v0", {"upper_length": 1.5}),
    ("rltransfer/Acrobot-v0", {"lower_length": 1.5}),
    ("rltransfer/Acrobot-v0", {"upper_mass": 2.0}),
    ("rltransfer/Acrobot-v0", {"lower_mass": 2.0}),
    ("rltransfer/Acrobot-v0", {"inertia": 0.5}),
    ("rltransfer/Acrobot-v0", {"torque": 2.0}),
    ("rltransfer/Pendulum-v0", {"gravity": 5.0}),
    ("rltransfer/Pendulum-v0", {"mass": 2.0}),
    ("rltransfer/Pendulum-v0", {"length": 2.0}),
    ("rltransfer/Pendulum-v0", {"max_torque": 1.0}),
    ("rltransfer/Pendulum-v0", {"max_speed": 0.5}),
    ("rltransfer/MountainCar-v0", {"gravity": 0.001}),
    ("rltransfer/MountainCar-v0", {"force": 0.002}),
    ("rltransfer/MountainCarContinuous-v0", {"power": 0.003}),
    ("rltransfer/HalfCheetah-v0", {"gravity": 4.0}),
    ("rltransfer/HalfCheetah-v0", {"mass": 2.0}),
    ("rltransfer/HalfCheetah-v0", {"torque": 0.5}),
    ("rltransfer/HalfCheetah-v0", {"torso": 1.2}),
    ("rltransfer/HalfCheetah-v0", {"armature": 3.0}),
    ("rltransfer/Hopper-v0", {"torso": 1.2}),
    ("rltransfer/Hopper-v0", {"armature": 3.0}),
]


def observations(env: gym.Env, steps: int = 40) -> np.ndarray:
    """Of a fixed behaviour that goes to both ends of the motors' range."""
    env.reset(seed=2)
    space, seen = env.action_space, []
    for step in range(steps):
        high = step % 3 != 0
        if isinstance(space, gym.spaces.Discrete):
            action: Any = int(space.n) - 1 if high else 0
        else:
            assert isinstance(space, gym.spaces.Box)
            action = space.high if high else space.low
        observation, _, terminated, truncated, _ = env.step(action)
        seen.append(observation)
        if terminated or truncated:
            break
    return np.array(seen)


@pytest.mark.parametrize("env_id", ORIGINALS)
def test_without_changes_it_is_the_original(env_id: str) -> None:
    changed, original = make(env_id), make(ORIGINALS[env_id])
    assert changed.observation_space == original.observation_space
    assert changed.action_space == original.action_space
    np.testing.assert_array_equal(observations(changed), observations(original))


@pytest.mark.parametrize(("env_id", "change"), CHANGES)
def test_every_parameter_changes_what_happens(
    env_id: str, change: dict[str, float]
) -> None:
    changed, original = observations(make(env_id, **change)), observations(make(env_id))
    shorter = min(len(changed), len(original))
    assert not np.allclose(changed[:shorter], original[:shorter], rtol=1e-3)


@pytest.mark.parametrize("links", [2, 3, 4, 6])
def test_a_swimmer_has_a_motor_between_each_two_links(links: int) -> None:
    env = make("rltransfer/Swimmer-v0", links=links)
    assert env.action_space.shape == (links - 1,)
    assert env.observation_space.shape == (2 * links + 2,)
    assert len(observations(env)) == 40


def test_a_swimmers_links_are_joined_in_a_row() -> None:
    part = ElementTree.fromstring(swimmer_xml(5)).find("worldbody/body")
    names = []
    while part is not None:
        names.append(part.get("name"))
        assert len(part.findall("body")) <= 1
        part = part.find("body")
    assert names == ["torso", "mid", "link2", "link3", "link4"]


def mujoco_env(env_id: str, **change: float) -> MujocoEnv:
    env = make(env_id, **change).unwrapped
    assert isinstance(env, MujocoEnv)
    env.reset(seed=0)
    return env


def test_a_third_leg_hangs_from_the_middle_between_the_other_two() -> None:
    env = mujoco_env("rltransfer/HalfCheetah-v0", legs=3)
    model = env.model
    assert env.action_space.shape == (9,)
    assert env.observation_space.shape == (23,)
    names = [model.actuator(number).name for number in range(model.nu)]
    assert names == [leg + part for leg in "bmf" for part in ("thigh", "shin", "foot")]
    assert [model.joint(3 + number).name for number in range(model.nu)] == names
    assert model.actuator_trnid[:, 0].tolist() == [*range(3, 12)]
    assert model.actuator_gear[:, 0].tolist() == [120, 90, 60, 120, 90, 60, 120, 60, 30]
    hips = [model.body(f"{leg}thigh").pos[0] for leg in "bmf"]
    assert hips == [-0.5, 0.0, 0.5]


def test_limbs_are_attached_where_a_larger_torso_ends() -> None:
    cheetah = mujoco_env("rltransfer/HalfCheetah-v0", torso=1.2).model
    assert cheetah.body("bthigh").pos[0] == pytest.approx(-0.6)
    assert cheetah.body("fthigh").pos[0] == pytest.approx(0.6)
    assert cheetah.geom("torso").size[:2] == pytest.approx([1.2 * 0.046, 0.6])
    assert cheetah.body("fshin").pos[0] == -0.14


def test_a_hopper_stands_on_its_foot_whatever_its_torso() -> None:
    env, original = mujoco_env("rltransfer/Hopper-v0", torso=1.5), HopperEnv()
    for upright in (env, original):
        upright.set_state(upright.init_qpos, upright.init_qvel)
    for name in ("thigh", "leg", "foot"):
        np.testing.assert_allclose(
            env.data.body(name).xpos, original.data.body(name).xpos, atol=1e-9
        )
    # The height that it shows is that of the middle of its torso.
    observation, _ = env.reset(seed=0)
    assert observation[0] == pytest.approx(env.data.body("torso").xpos[2])
    assert env.init_qpos[1] == pytest.approx(1.25 + 0.5 * 0.2)


@pytest.mark.parametrize("joints", [2, 3, 5])
def test_an_arm_is_as_long_whatever_its_joints(joints: int) -> None:
    env = mujoco_env("rltransfer/Reacher-v0", joints=joints)
    assert env.action_space.shape == (joints,)
    env.set_state(np.zeros(joints + 2), np.zeros(joints + 2))
    assert env.data.body("fingertip").xpos[0] == pytest.approx(0.21)


def test_a_reacher_shows_all_joints_in_the_order_of_the_original() -> None:
    env = mujoco_env("rltransfer/Reacher-v0", joints=3)
    angles, speeds = np.array([0.1, 0.2, 0.3]), np.array([1.0, 2.0, 3.0])
    env.set_state(np.array([*angles, 0.05, -0.06]), np.array([*speeds, 0.0, 0.0]))
    observation = env._get_obs()
    np.testing.assert_allclose(observation[:3], np.cos(angles))
    np.testing.assert_allclose(observation[3:6], np.sin(angles))
    np.testing.assert_allclose(observation[6:8], [0.05, -0.06])
    np.testing.assert_allclose(observation[8:11], speeds)
    link = 0.2 / 3
    turned = np.cumsum(angles)
    ends = np.array([link, link, link + 0.01])
    tip = [ends @ np.cos(turned), ends @ np.sin(turned)]
    np.testing.assert_allclose(observation[11:], np.subtract(tip, [0.05, -0.06]))


@pytest.mark.parametrize(
    ("env_id", "change", "message"),
    [
        ("rltransfer/CartPole-v0", {"pole_mass": 0}, "pole_mass must be positive"),
        ("rltransfer/CartPole-v0", {"gravity": -1.0}, "gravity must be 0 or more"),
        ("rltransfer/CartPole-v0", {"force": float("nan")}, "force must be finite"),
        ("rltransfer/CartPole-v0", {"force": "10"}, "force .* a number, got '10'"),
        ("rltransfer/CartPole-v0", {"force": True}, "force .* a number, got True"),
        ("rltransfer/CartPole-v0", {"gravty": 1.0}, "takes .* did you mean gravity"),
        ("rltransfer/Acrobot-v0", {"torque": 0.0}, "torque must be positive"),
        ("rltransfer/Acrobot-v0", {"gravity": 9.0}, "takes upper_length, .*; got grav"),
        ("rltransfer/Pendulum-v0", {"length": -1.0}, "length must be positive"),
        ("rltransfer/MountainCar-v0", {"force": 0.0}, "force must be positive"),
        ("rltransfer/MountainCarContinuous-v0", {"power": 0}, "power must be positive"),
        ("rltransfer/Swimmer-v0", {"links": 1}, "links must be 2 or more"),
        ("rltransfer/Swimmer-v0", {"links": 3.0}, "links .* a whole number, got 3.0"),
        ("rltransfer/HalfCheetah-v0", {"mass": -1.0}, "mass must be positive"),
        ("rltransfer/HalfCheetah-v0", {"legs": 4}, "legs must be 2 or 3, got 4"),
        ("rltransfer/Hopper-v0", {"torso": 0}, "torso must be positive"),
        ("rltransfer/Hopper-v0", {"armatur": 3}, "takes .* did you mean armature"),
        ("rltransfer/Reacher-v0", {"joints": 1}, "joints must be 2 or more, got 1"),
    ],
)
def test_impossible_parameters_are_refused(
    env_id: str, change: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        gym.make(env_id, **change)


def test_parameters_are_checked_wherever_they_are_made() -> None:
    with pytest.raises(InputError, match="must be positive, got 0"):
        CartPoleParameters(pole_mass=0.0)
    with pytest.raises(InputError, match="must be finite"):
        AcrobotParameters(inertia=float("inf"))
    with pytest.raises(InputError, match="2 or more"):
        SwimmerParameters(links=0)


def test_the_left_car_climbs_as_the_usual_one_does_to_the_right() -> None:
    usual, left = (
        make("MountainCarContinuous-v0"),
        make("rltransfer/MountainCarLeft-v0"),
    )
    bottom = -np.pi / 3
    for env in (usual, left):
        env.reset(seed=0)
    position = usual.unwrapped.state[0]
    left.unwrapped.state = np.array([bottom - position, 0.0])
    over = False
    while not over:
        # Full force along the motion climbs, here without touching a wall.
        force = np.array([-1.0 if usual.unwrapped.state[1] <= 0 else 1.0])
        there, gain, over, late, _ = usual.step(force.astype(np.float32))
        mirrored, own, ended, _, _ = left.step(-force.astype(np.float32))
        np.testing.assert_allclose(mirrored, [bottom - there[0], -there[1]], atol=1e-5)
        assert (own, ended) == (pytest.approx(gain), over)
        assert not late
    assert gain == pytest.approx(99.9)
    assert mirrored in left.observation_space


@pytest.mark.parametrize(("axis", "push"), [(0, 2), (1, 4)])
def test_along_one_axis_the_car_in_the_bowl_moves_as_the_flat_one(
    axis: int, push: int
) -> None:
    flat, bowl = make("MountainCar-v0"), make("rltransfer/MountainCar3D-v0")
    flat.reset(seed=0)
    seen, _ = bowl.reset(seed=0)
    flat.unwrapped.state = seen[[axis, 2 + axis]].astype(np.float64)
    for step in range(60):
        # Back and forth by turns; 0 pushes left in the flat world, 2 right.
        right = step // 25 % 2
        there, *_ = flat.step(2 * right)
        seen, reward, over, _, _ = bowl.step(push if right else push - 1)
        np.testing.assert_allclose(seen[[axis, 2 + axis]], there, atol=1e-5)
        assert (reward, over) == (-1.0, False)


def test_the_car_in_the_bowl_is_there_where_both_axes_are() -> None:
    bowl = make("rltransfer/MountainCar3D-v0")
    bowl.reset(seed=0)
    car = bowl.unwrapped
    car._velocity = np.array([0.05, 0.0])
    car._position = np.array([0.49, 0.3])
    assert bowl.step(0)[2] is False
    car._velocity = np.array([0.05, 0.05])
    car._position = np.array([0.49, 0.49])
    assert bowl.step(0)[2] is True
