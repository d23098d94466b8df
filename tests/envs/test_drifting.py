"""Sensors, motors and gravity that change with the steps taken."""

from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from rltransfer.errors import InputError
from rltransfer_envs.drifting_env import Drift, turn_in
from rltransfer_envs.making import make

DRIFTING, SCRAMBLED = "rltransfer/Drifting-v0", "rltransfer/Scrambled-v0"


def drifting(base: str, **kwargs: Any) -> gym.Env[Any, Any]:
    return make(DRIFTING, base=base, seed=3, **kwargs)


def taken(env: gym.Env[Any, Any], actions: list[Any]) -> list[Any]:
    """Returns what is seen from a reset with one seed on."""
    seen = [env.reset(seed=5)[0]]
    return seen + [env.step(action)[0] for action in actions]


def test_a_quarter_turn_takes_the_first_axis_of_a_plane_to_the_second() -> None:
    turned = turn_in(np.eye(3), np.pi / 2)
    np.testing.assert_allclose(turned @ [1.0, 0.0, 7.0], [0.0, 1.0, 7.0], atol=1e-12)
    np.testing.assert_allclose(turned @ [0.0, 1.0, 7.0], [-1.0, 0.0, 7.0], atol=1e-12)


def test_a_drift_is_even_and_then_over() -> None:
    drift = Drift(steps=200, start=50)
    assert [drift.progress(taken) for taken in (0, 50, 150, 900)] == [0.25, 0.5, 1, 1]
    assert Drift(steps=0).progress(0) == 1.0


def test_it_begins_as_the_scrambled_environment_of_its_base_and_seed() -> None:
    env, scrambled = (
        drifting("Pendulum-v1"),
        make(SCRAMBLED, base="Pendulum-v1", seed=3),
    )
    assert env.action_space == scrambled.action_space
    np.testing.assert_array_equal(env.reset(seed=5)[0], scrambled.reset(seed=5)[0])


def test_sensors_turn_about_what_they_show_of_zero() -> None:
    # A half turn in both planes of four numbers takes what is seen to its opposite.
    still = drifting("CartPole-v1", turn=0.0).reset(seed=5)[0]
    turned = drifting("CartPole-v1", turn=180.0, steps=0).reset(seed=5)[0]
    centre = (still + turned) / 2
    quarter = drifting("CartPole-v1", turn=90.0, steps=0).reset(seed=5)[0]
    ahead, aside = still - centre, quarter - centre
    assert ahead @ aside == pytest.approx(0.0, abs=1e-6)
    assert aside @ aside == pytest.approx(ahead @ ahead, rel=1e-5)


def test_no_reset_takes_a_drift_back() -> None:
    env = drifting("Pendulum-v1", steps=4)
    push = np.zeros(1, np.float32)
    first, *_ = taken(env, [push, push])
    assert env.unwrapped.progress == 0.5  # type: ignore[attr-defined]
    again, *_ = taken(env, [push, push, push])
    assert not np.allclose(first, again)
    assert env.unwrapped.progress == 1.0  # type: ignore[attr-defined]


def test_it_goes_on_where_an_earlier_one_ended() -> None:
    env, push = drifting("Pendulum-v1", steps=10), np.zeros(1, np.float32)
    taken(env, [push] * 3)
    further = taken(env, [push] * 4)
    later = drifting("Pendulum-v1", steps=10, start=3)
    np.testing.assert_array_equal(further, taken(later, [push] * 4))
    told = drifting("Pendulum-v1", steps=10)
    told.unwrapped.drift_steps = 3  # type: ignore[attr-defined]
    np.testing.assert_array_equal(further, taken(told, [push] * 4))


def test_a_motor_of_half_force_does_what_half_a_push_does() -> None:
    weak = drifting("Pendulum-v1", turn=0, motor=0.5, steps=0)
    strong = drifting("Pendulum-v1", turn=0)
    full, half = np.full(1, 2.0, np.float32), np.full(1, 1.0, np.float32)
    # At the first step of a drift of none, the strong one is as it was.
    np.testing.assert_allclose(taken(weak, [full]), taken(strong, [half]), atol=1e-6)


@pytest.mark.parametrize(
    ("base", "attribute", "drift", "expected"),
    [
        ("Pendulum-v1", "g", {"gravity": 3.0}, [10.0, 20.0, 30.0, 30.0]),
        ("CartPole-v1", "gravity", {"gravity": 2.0}, [9.8, 14.7, 19.6, 19.6]),
        ("CartPole-v1", "force_mag", {"motor": 0.6}, [10.0, 8.0, 6.0, 6.0]),
    ],
)
def test_gravity_and_force_go_evenly_to_their_multiple(
    base: str, attribute: str, drift: dict[str, float], expected: list[float]
) -> None:
    env = drifting(base, steps=2, **drift)
    within: Any = env.unwrapped
    env.reset(seed=5)
    found = []
    for _ in expected:
        env.step(env.action_space.sample())
        found.append(getattr(within._base.unwrapped, attribute))
    assert found == pytest.approx(expected)


def test_gravity_rises_in_bodies_of_mujoco() -> None:
    env = drifting("HalfCheetah-v5", gravity=2.0, steps=0)
    env.reset(seed=5)
    env.step(env.action_space.sample())
    within: Any = env.unwrapped
    gravity = within._base.unwrapped.model.opt.gravity
    np.testing.assert_allclose(gravity, [0.0, 0.0, -19.62])


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"base": "Acrobot-v1", "gravity": 2}, "gravity can drift in CartPole"),
        ({"base": "Swimmer-v5", "gravity": 2}, "not in Swimmer-v5; leave gravity out"),
        ({"base": "LunarLander-v3", "motor": 0.5}, "motor can drift in CartPole"),
        ({"base": "Pendulum-v1", "motor": 1.5}, "from 0 to 1, got 1.5"),
        ({"base": "Pendulum-v1", "motor": "weak"}, "must be a number, got 'weak'"),
        ({"base": "Pendulum-v1", "gravity": 0}, "a positive multiple, got 0"),
        ({"base": "Pendulum-v1", "turn": float("inf")}, "must be finite, got inf"),
        ({"base": "Pendulum-v1", "steps": 0.5}, "a whole number, got 0.5"),
        ({"base": "Pendulum-v1", "start": -1}, "counted from 0, got 20000 and -1"),
        ({"base": SCRAMBLED}, "must not have a base itself"),
        ({}, "needs the id of the environment"),
    ],
)
def test_what_cannot_drift_is_refused(kwargs: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message) as refused:
        make(DRIFTING, **kwargs)
    assert "\n" not in str(refused.value)
