from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium import spaces

from rltransfer.errors import InputError
from rltransfer_envs.sensors_env import KINDS, MORE, POSITIONS, SensorsEnv, make_sensors

ENV_ID = "rltransfer/Sensors-v0"
NOISY = ("extra", "noisy")


def episode(kind: str, base: str, steps: int = 200, seed: int = 0) -> tuple[Any, Any]:
    """Returns what the sensors show in one episode, and what is observed behind."""
    env = make_sensors(base=base, kind=kind, seed=seed)
    source = gym.make(base)
    env.action_space.seed(1)
    shown = [env.reset(seed=5)[0]]
    # The first draw of the generator is the seed of the base.
    first = int(np.random.default_rng(5).integers(2**31))
    observed = [source.reset(seed=first)[0]]
    for _ in range(steps):
        action = env.action_space.sample()
        reading, reward, terminated, truncated, _ = env.step(action)
        observation, *expected, _ = source.step(action)
        assert [reward, terminated, truncated] == expected
        shown.append(reading)
        observed.append(observation)
        if terminated or truncated:
            break
    return np.array(shown), np.array(observed)


def unexplained(shown: np.ndarray, observed: np.ndarray) -> np.ndarray:
    """Of each sensor the share of variance that no affine map of the state explains."""
    rows = np.column_stack([observed, np.ones(len(observed))])
    left = shown - rows @ np.linalg.lstsq(rows, shown, rcond=None)[0]
    share: np.ndarray = left.var(axis=0) / shown.var(axis=0)
    return share


def test_units_are_one_sensor_each() -> None:
    shown, observed = episode("units", "Pendulum-v1")
    correlation = np.abs(np.corrcoef(shown.T, observed.T)[:3, 3:])
    assert sorted(correlation.argmax(axis=1)) == [0, 1, 2]
    np.testing.assert_allclose(correlation.max(axis=1), 1.0, rtol=1e-5)


def test_rewired_sensors_are_one_each_and_motors_are_swapped() -> None:
    env, base = "rewired", "Acrobot-v1"
    orders = set()
    for seed in range(8):
        made = make_sensors(base=base, kind=env, seed=seed)
        source = gym.make(base)
        shown = [made.reset(seed=5)[0]]
        first = int(np.random.default_rng(5).integers(2**31))
        seen = [source.reset(seed=first)[0]]
        moved = [made._actuators.source_action(n) for n in range(3)]
        for n in [0, 1, 2] * 20:
            shown.append(made.step(n)[0])
            seen.append(source.step(moved[n])[0])
        assert sorted(moved) == [0, 1, 2]
        orders.add(tuple(moved))
        assert unexplained(np.array(shown), np.array(seen)).max() < 1e-6
        correlation = np.abs(np.corrcoef(np.array(shown).T, np.array(seen).T)[:6, 6:])
        np.testing.assert_allclose(correlation.max(axis=1), 1.0, rtol=1e-4)
        assert abs(shown[0]).max() > 1e-3
    assert len(orders) > 1


def test_extra_sensors_show_noise_alone() -> None:
    shown, observed = episode("extra", "Pendulum-v1")
    share = unexplained(shown, observed)
    assert shown.shape[1] == observed.shape[1] + MORE
    assert sorted(share > 0.9) == [False] * 3 + [True] * MORE
    assert share.min() < 1e-9
    noise = shown[:, share > 0.9]
    assert noise.std(axis=0) == pytest.approx(1.0, abs=0.2)


def test_noise_is_two_percent_of_the_range() -> None:
    shown, observed = episode("noisy", "Pendulum-v1")
    rows = np.column_stack([observed, np.ones(len(observed))])
    left = shown - rows @ np.linalg.lstsq(rows, shown, rcond=None)[0]
    assert left.std(axis=0) == pytest.approx(0.02, abs=0.005)


def test_warped_sensors_can_be_unwarped() -> None:
    shown, observed = episode("warped", "Pendulum-v1")
    assert np.abs(shown).max() <= 1.0
    assert unexplained(shown, observed).max() > 1e-3
    assert unexplained(np.arctanh(shown), observed).max() < 1e-6


def test_sensors_twice_hold_the_observation_itself() -> None:
    shown, observed = episode("twice", "Acrobot-v1")
    np.testing.assert_array_equal(shown[:, :6], observed)
    assert unexplained(shown, observed).max() < 1e-9


@pytest.mark.parametrize(
    "base",
    [
        "Acrobot-v1",
        "CartPole-v1",
        "LunarLander-v3",
        "MountainCar-v0",
        "MountainCarContinuous-v0",
        "rltransfer/Pendulum-v0",
    ],
)
def test_positions_are_fewer_sensors_of_the_same_numbers(base: str) -> None:
    shown, observed = episode("positions", base, steps=20)
    assert 0 < shown.shape[1] < observed.shape[1]
    kept = POSITIONS[base.rpartition("/")[2].rpartition("-")[0]]
    np.testing.assert_array_equal(shown, observed[:, [*kept]])


def test_without_velocities_a_cart_pole_shows_place_and_angle() -> None:
    shown, observed = episode("positions", "CartPole-v1")
    np.testing.assert_array_equal(shown, observed[:, [0, 2]])


class Recorder(gym.Env[Any, Any]):
    """Shows the number of its last action, counted from `start`."""

    def __init__(self, start: int = 0) -> None:
        self.observation_space = spaces.Box(-9, 9, (1,), np.float32)
        self.action_space = spaces.Discrete(3, start=start)

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        return np.full(1, -1, np.float32), {}

    def step(self, action: Any) -> Any:
        assert self.action_space.contains(action)
        return np.full(1, action, np.float32), 0.0, False, False, {}


def test_delayed_actions_act_one_step_late_in_every_episode() -> None:
    env = SensorsEnv(Recorder(), "delayed", seed=0)
    for _ in range(2):
        env.reset(seed=0)
        assert [env.step(action)[0][0] for action in (2, 0, 1, 1)] == [2, 2, 0, 1]


def test_an_array_that_is_used_again_is_delayed_as_it_was() -> None:
    env = make_sensors(base="Pendulum-v1", kind="delayed")
    source = gym.make("Pendulum-v1")
    env.reset(seed=5)
    source.reset(seed=int(np.random.default_rng(5).integers(2**31)))
    action = np.zeros(1, np.float32)
    for number in range(4):
        action[0] = number
        late = np.full(1, max(number - 1, 0), np.float32)
        np.testing.assert_array_equal(env.step(action)[0], source.step(late)[0])


@pytest.mark.parametrize("start", [0, 4])
def test_every_action_has_a_button_and_some_have_more(start: int) -> None:
    drawn = set()
    for seed in range(8):
        env = SensorsEnv(Recorder(start), "buttons", seed)
        assert env.action_space == spaces.Discrete(3 + MORE)
        env.reset(seed=0)
        pressed = [int(env.step(button)[0][0]) for button in range(3 + MORE)]
        assert set(pressed) == {start, start + 1, start + 2}
        drawn.add(tuple(pressed))
    assert len(drawn) > 4
    with pytest.raises(InputError, match=r"actions are in Discrete\(6\), got -1"):
        env.step(-1)


@pytest.mark.parametrize("kind", KINDS)
def test_the_seed_alone_decides_what_is_drawn(kind: str) -> None:
    shown = []
    for seed in (4, 4, 5):
        env = make_sensors(base="CartPole-v1", kind=kind, seed=seed)
        shown.append([env.reset(seed=1)[0]] + [env.step(n % 2)[0] for n in range(9)])
    np.testing.assert_array_equal(shown[0], shown[1])
    drawn = kind not in ("positions", "delayed")
    assert (not np.array_equal(shown[0], shown[2])) == drawn


@pytest.mark.parametrize("kind", NOISY)
def test_noise_is_the_environments_own_and_not_what_the_base_starts_from(
    kind: str,
) -> None:
    env = make_sensors(base="CartPole-v1", kind=kind)
    before = np.random.get_state()[1].copy()  # type: ignore[index, union-attr]
    first, _ = env.reset(seed=1)
    state = env.np_random.bit_generator.state
    once, _ = env.reset()
    env.np_random.bit_generator.state = state
    again, _ = env.reset()
    np.testing.assert_array_equal(once, again)
    assert not np.array_equal(first, once)
    np.testing.assert_array_equal(before, np.random.get_state()[1])  # type: ignore[index]


@pytest.mark.parametrize(
    ("base", "kind", "seed", "message"),
    [
        ("CartPole-v1", None, 0, "is one of extra, .*; got None$"),
        ("CartPole-v1", "noise", 0, "got 'noise'; did you mean noisy"),
        ("CartPole-v1", 3, 0, "got 3$"),
        (None, "extra", 0, "needs the id .* pass for example base=CartPole-v1"),
        ("Cartpole-v1", "extra", 0, "not registered .* nearest: CartPole-v1"),
        ("rltransfer/Scrambled-v0", "extra", 0, "must not have a base itself"),
        ("CartPole-v1", "extra", -1, "whole number from 0 up, got -1"),
        ("FrozenLake-v1", "delayed", 0, r"base 'FrozenLake-v1': .* got Discrete\(16\)"),
        ("Pendulum-v1", "buttons", 0, "only Discrete actions have buttons, got Box"),
        ("HalfCheetah-v5", "positions", 0, "known of Acrobot, CartPole, .* only"),
    ],
)
def test_a_base_kind_or_seed_that_is_not_allowed_is_refused_in_one_line(
    base: Any, kind: Any, seed: Any, message: str
) -> None:
    with pytest.raises(InputError, match=message) as caught:
        gym.make(ENV_ID, base=base, kind=kind, seed=seed)
    assert "\n" not in str(caught.value)
