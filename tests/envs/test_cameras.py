from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from rltransfer.errors import InputError
from rltransfer_envs.camera_env import film
from rltransfer_envs.pictures import PICTURES, cart_pole, frame, pendulum


def test_a_cart_that_moves_by_a_pixel_is_drawn_a_pixel_further() -> None:
    here = frame(cart_pole, np.array([0.2, 0.0, 0.1, 0.0]))
    further = frame(cart_pole, np.array([0.2 + 1 / 9, 0.0, 0.1, 0.0]))
    np.testing.assert_array_equal(np.roll(here, 1, axis=1), further)


def test_a_part_of_a_pixel_is_seen_and_a_velocity_is_not() -> None:
    still, moved, fast = (
        frame(cart_pole, np.array([position, speed, 0.0, speed]))
        for position, speed in ((0.0, 0.0), (0.005, 0.0), (0.0, 2.0))
    )
    assert (still != moved).any()
    np.testing.assert_array_equal(still, fast)


def test_a_pendulum_that_hangs_is_one_that_stands_upside_down() -> None:
    up, down = (frame(pendulum, np.array([c, 0.0, 0.0])) for c in (1.0, -1.0))
    np.testing.assert_array_equal(up, down[::-1])
    np.testing.assert_array_equal(up, up[:, ::-1])
    # Nine and a half pixels above the middle and half its own width of three.
    assert up.max(axis=1).nonzero()[0].tolist() == [*range(1, 14)]


@pytest.mark.parametrize(
    "base", ["CartPole-v1", "Pendulum-v1", "LunarLander-v3", "rltransfer/Pendulum-v0"]
)
def test_frames_are_of_the_state_and_of_the_one_before(base: str) -> None:
    env, state = film(base, seed=1), gym.make(base)
    name = base.rpartition("/")[2].rpartition("-")[0]
    env.action_space.seed(0)
    shown = env.reset(seed=5)[0]
    drawn = frame(PICTURES[name], state.reset(seed=5)[0])
    np.testing.assert_array_equal(shown, np.stack([drawn, drawn]))
    for _ in range(4):
        action = env.action_space.sample()
        before, (shown, *paid, _) = drawn, env.step(action)
        observation, *expected, _ = state.step(env._actuators.source_action(action))
        drawn = frame(PICTURES[name], observation)
        np.testing.assert_array_equal(shown, np.stack([before, drawn]))
        assert paid == expected


def test_motors_are_wired_by_the_seed_alone() -> None:
    def taken(seed: int) -> list[int]:
        env = film("LunarLander-v3", seed=seed)
        return [int(env._actuators.source_action(action)) for action in range(4)]

    assert taken(3) == taken(3)
    assert len({tuple(taken(seed)) for seed in range(9)}) > 4


def test_positions_are_shown_beside_frames() -> None:
    env = film("CartPole-v1", beside="positions")
    shown, state = env.reset(seed=5)[0], gym.make("CartPole-v1").reset(seed=5)[0]
    assert shown["camera"].shape == (2, 24, 48)
    assert shown["positions"].tolist() == state[[0, 2]].tolist()


@pytest.mark.parametrize(
    ("kwargs", "reason"),
    [
        ({"base": "Acrobot-v1"}, "pictures of CartPole, LunarLander, Pendulum only"),
        ({"base": "CartPole-v1", "beside": "sound"}, "nothing or positions"),
        ({"base": "rltransfer/Camera-v0"}, "must not have a base itself"),
        ({"base": "CartPole-v1", "seed": -1}, "whole number"),
    ],
)
def test_what_cannot_be_filmed_is_refused(kwargs: dict[str, Any], reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        film(**kwargs)
