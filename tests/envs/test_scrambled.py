from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium import spaces

from rltransfer.errors import InputError
from rltransfer_envs.scrambled_env import Scrambled, scramble, true_mapping
from rltransfer_envs.true_mapping import (
    ContinuousActuatorMap,
    DiscreteActuatorMap,
    Numbers,
    Sensors,
    random_sensors,
    typical_spread,
)
from rltransfer_envs.zero_shot_suites import newest

BASES = [
    "CartPole-v1",
    "Acrobot-v1",
    "Pendulum-v1",
    "MountainCarContinuous-v0",
    "LunarLander-v3",
    "HalfCheetah-v5",
]


class Still(gym.Env[Any, Any]):
    """An environment of given spaces in which nothing happens; keeps its action."""

    def __init__(self, observation_space: Any, action_space: Any) -> None:
        self.observation_space = observation_space
        self.action_space = action_space
        self.closed = False
        self.last: Any = None

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        return np.zeros(self.observation_space.shape, np.float32), {}

    def step(self, action: Any) -> Any:
        self.last = action
        return np.zeros(self.observation_space.shape, np.float32), 0.0, False, False, {}

    def close(self) -> None:
        self.closed = True


VECTOR = spaces.Box(-1.0, 1.0, (2,))


@pytest.mark.parametrize("base", BASES)
@pytest.mark.parametrize("seed", [0, 100])
def test_the_true_mapping_leads_back_to_the_base(base: str, seed: int) -> None:
    target, source = scramble(base=base, seed=seed), gym.make(base)
    mapping = true_mapping(target)
    source.action_space.seed(seed)
    reading, _ = target.reset(seed=5)
    observation, _ = source.reset(seed=5)
    for _ in range(30):
        np.testing.assert_allclose(
            mapping.sensors.observation(reading), observation, rtol=1e-4, atol=1e-4
        )
        action = source.action_space.sample()
        reading, *seen, _ = target.step(mapping.actuators.target_action(action))
        observation, *expected, _ = source.step(action)
        assert seen == expected
        if expected[1] or expected[2]:
            break


@pytest.mark.parametrize("base", BASES)
def test_actions_there_and_back_are_the_same(base: str) -> None:
    target = scramble(base=base, seed=4)
    actuators = true_mapping(target).actuators
    target.action_space.seed(0)
    for _ in range(20):
        action = target.action_space.sample()
        back = actuators.target_action(actuators.source_action(action))
        np.testing.assert_allclose(back, action, atol=1e-6)
        assert actuators.source_action(action) in gym.make(base).action_space


def test_sensors_rotate_scale_and_shift() -> None:
    quarter = np.array([[0.0, -1.0], [1.0, 0.0]])
    sensors = Sensors(quarter, np.array([2.0, 5.0]), np.array([10.0, 20.0]))
    reading = sensors.reading(np.array([1.0, 3.0]))
    np.testing.assert_array_equal(reading, [10.0 - 15.0, 20.0 + 2.0])
    np.testing.assert_array_equal(sensors.observation(reading), [1.0, 3.0])


def test_sensors_take_many_observations_at_once() -> None:
    sensors = random_sensors(np.ones(3), np.random.default_rng(0))
    observations = np.random.default_rng(1).normal(size=(5, 3))
    readings = sensors.reading(observations)
    np.testing.assert_allclose(readings[2], sensors.reading(observations[2]), rtol=1e-6)
    np.testing.assert_allclose(sensors.observation(readings), observations, atol=1e-5)


def test_drawn_sensors_are_orthogonal_and_of_the_stated_scale() -> None:
    spread = np.array([0.05, 1.0, 20.0])
    for seed in range(20):
        sensors = random_sensors(spread, np.random.default_rng(seed))
        np.testing.assert_allclose(
            sensors.rotation @ sensors.rotation.T, np.eye(3), atol=1e-12
        )
        relative = sensors.scale * spread
        assert relative.min() >= 0.3
        assert relative.max() <= 3.0


def test_the_seed_alone_decides_the_scramble() -> None:
    once, again, other = (
        true_mapping(scramble(base="Acrobot-v1", seed=seed)) for seed in (9, 9, 10)
    )
    assert np.array_equal(once.sensors.matrix, again.sensors.matrix)
    assert np.array_equal(once.sensors.offset, again.sensors.offset)
    assert np.array_equal(once.actuators.order, again.actuators.order)  # type: ignore[attr-defined]
    assert not np.array_equal(once.sensors.matrix, other.sensors.matrix)


def test_a_reversed_motor_swaps_the_ends_of_its_own_range() -> None:
    low, high = np.array([0.0, -1.0], "f4"), np.array([0.5, 3.0], "f4")
    source = spaces.Box(low, high)
    actuators = ContinuousActuatorMap(source, np.array([1, 0]), np.array([-1.0, 1.0]))
    # Target motor 1 drives source motor 0, the wrong way round; 0 drives 1.
    np.testing.assert_array_equal(actuators.space.low, [-1.0, 0.0])
    np.testing.assert_array_equal(actuators.space.high, [3.0, 0.5])
    np.testing.assert_array_equal(actuators.source_action([2.0, 0.0]), [0.5, 2.0])
    np.testing.assert_array_equal(actuators.source_action([-1.0, 0.5]), [0.0, -1.0])
    np.testing.assert_array_equal(actuators.target_action([0.5, 2.0]), [2.0, 0.0])


def test_the_ends_of_a_lopsided_range_stay_inside_it() -> None:
    source = spaces.Box(np.float32(0.1), np.float32(0.7), (1,), np.float32)
    actuators = ContinuousActuatorMap(source, np.array([0]), np.array([-1.0]))
    assert actuators.source_action(source.low) in source
    assert actuators.source_action(source.high) in source


def test_discrete_actions_are_permuted_from_where_they_start() -> None:
    actuators = DiscreteActuatorMap(spaces.Discrete(3, start=5), np.array([2, 0, 1]))
    assert [actuators.source_action(action) for action in (5, 6, 7)] == [7, 5, 6]
    assert [actuators.target_action(action) for action in (7, 5, 6)] == [5, 6, 7]


@pytest.mark.parametrize("action", [-1, 3, 0.5])
def test_an_action_out_of_range_is_refused(action: Any) -> None:
    actuators = DiscreteActuatorMap(spaces.Discrete(3), np.array([2, 0, 1]))
    with pytest.raises(InputError, match=r"must be in Discrete\(3\)"):
        actuators.source_action(action)


def test_an_action_of_another_shape_is_refused() -> None:
    env = scramble(base="HalfCheetah-v5", seed=0)
    env.reset(seed=0)
    with pytest.raises(InputError, match=r"shape \(6,\), got \(7,\)"):
        env.step(np.zeros(7))


def test_the_spread_of_well_known_environments_comes_from_the_table() -> None:
    space = gym.make("Pendulum-v1").observation_space
    assert isinstance(space, spaces.Box)
    assert typical_spread(space, "Pendulum-v1").tolist() == [1.0, 1.0, 4.0]
    assert typical_spread(space, "rltransfer/Pendulum-v0").tolist() == [1.0, 1.0, 4.0]
    assert typical_spread(space, "elsewhere/Pendulum-v1").tolist() == [1.0, 1.0, 8.0]


def test_the_spread_of_others_is_half_the_width_of_sensible_bounds() -> None:
    low = np.array([-4.0, 0.0, -np.inf, -np.inf, 5.0, -3e38])
    high = np.array([4.0, 1.0, np.inf, 2.0, 5.0, 3e38])
    spread = typical_spread(spaces.Box(low, high, dtype=np.float64), "Own-v0")
    assert spread.tolist() == [4.0, 0.5, 1.0, 1.0, 1.0, 1.0]


def test_the_base_cannot_be_reached_through_the_scramble() -> None:
    env = gym.make("rltransfer/Scrambled-v0", base="CartPole-v1", seed=3)
    assert isinstance(env.unwrapped, Scrambled)
    assert not hasattr(env.unwrapped, "env")
    assert not np.isfinite(env.observation_space.low).any()  # type: ignore[attr-defined]


def test_arguments_reach_the_base() -> None:
    env = scramble(base="LunarLander-v3", seed=0, continuous=True)
    assert env.action_space.shape == (2,)


def test_a_shorter_time_limit_can_be_asked_for() -> None:
    env = gym.make(
        "rltransfer/Scrambled-v0", base="Pendulum-v1", seed=0, max_episode_steps=3
    )
    env.reset(seed=0)
    cuts = [env.step(np.zeros(1, np.float32))[3] for _ in range(3)]
    assert cuts == [False, False, True]


def test_an_environment_that_is_not_registered_can_be_scrambled() -> None:
    base = Still(VECTOR, spaces.Discrete(2))
    env = Scrambled(base, seed=0)
    env.reset(seed=0)
    env.step(np.int64(1))
    assert base.last == env._mapping.actuators.source_action(1)
    env.close()
    assert base.closed


@pytest.mark.parametrize(
    ("base", "seed", "message"),
    [
        (None, 0, "needs the id .* pass for example base=CartPole-v1"),
        ("Cartpole-v1", 0, "'Cartpole-v1' is not registered .* nearest: CartPole-v1"),
        ("CartPole-v1", -1, "whole number from 0 up, got -1"),
        ("CartPole-v1", "three", "whole number from 0 up, got 'three'"),
        ("CartPole-v1", True, "whole number from 0 up, got True"),
        ("Blackjack-v1", 0, r"base 'Blackjack-v1': .* got Tuple"),
        ("CarRacing-v3", 0, r"base 'CarRacing-v3': .*rank 1.* got Box"),
        ("rltransfer/Scrambled-v0", 0, "must not have a base itself"),
        ("rltransfer_envs:rltransfer/Sensors-v0", 0, "must not have a base itself"),
    ],
)
def test_a_base_or_seed_that_is_not_allowed_is_refused_in_one_line(
    base: Any, seed: Any, message: str
) -> None:
    with pytest.raises(InputError, match=message) as caught:
        gym.make("rltransfer/Scrambled-v0", base=base, seed=seed)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("actions", "message"),
    [
        (spaces.MultiDiscrete([2, 3]), "only Discrete actions and vectors"),
        (spaces.Box(-1.0, 1.0, (2, 2)), "only Discrete actions and vectors"),
        (spaces.Box(-np.inf, np.inf, (2,)), "actions without bounds"),
    ],
)
def test_actions_that_cannot_be_permuted_are_refused(
    actions: Any, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        Scrambled(Still(VECTOR, actions), seed=0)


@pytest.mark.parametrize("start", [0, 5])
def test_numbered_states_get_other_numbers_and_lead_on_as_before(start: int) -> None:
    target, source = scramble(base=newest("Taxi"), seed=3), gym.make(newest("Taxi"))
    mapping = true_mapping(target)
    shown, info = target.reset(seed=start)
    known, _ = source.reset(seed=start)
    assert "action_mask" not in info  # it would give the order of actions away
    for action in [0, 1, 2, 3, 4, 5] * 5:
        assert shown in target.observation_space
        assert mapping.sensors.observation(shown) == known
        assert mapping.sensors.reading(known) == shown
        own = mapping.actuators.target_action(action)
        shown, paid, *over, _ = target.step(own)
        known, reward, *ended, _ = source.step(action)
        assert (paid, over) == (reward, ended)


def test_numbers_keep_their_start() -> None:
    states = spaces.Discrete(4, start=7)
    numbers = Numbers(states, np.array([2, 0, 3, 1]))
    assert [numbers.reading(state) for state in range(7, 11)] == [9, 7, 10, 8]
    assert [numbers.observation(n) for n in (9, 7, 10, 8)] == [7, 8, 9, 10]


def test_only_a_scramble_has_a_true_mapping() -> None:
    with pytest.raises(InputError, match="only rltransfer/Scrambled-v0"):
        true_mapping(gym.make("CartPole-v1"))
