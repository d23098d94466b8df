"""Every step of an environment is looked at, and its faults are named."""

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium import spaces

from rltransfer.errors import EnvironmentFault
from rltransfer.wrappers.replayable_env import ReplayableEnv
from rltransfer_agents.training.vector_env import Here, VectorEnv

FAULTS: dict[str, tuple[str, Any]] = {
    "NaN observation": ("observation", np.array([0.0, np.nan], np.float32)),
    "infinite observation": ("observation", np.array([0.0, np.inf], np.float32)),
    "shape": ("observation", np.zeros(3, np.float32)),
    "scalar": ("observation", 0.0),
    "type": ("observation", np.array(["a", "b"])),
    "missing": ("observation", None),
    "NaN reward": ("reward", np.nan),
    "infinite reward": ("reward", -np.inf),
    "reward of text": ("reward", "much"),
    "raise": ("raised ZeroDivisionError", None),
}


class Faulty(gym.Env[Any, Any]):
    """Ends after ten steps; breaks its contract at one of them."""

    observation_space = spaces.Box(-1, 1, (2,))
    action_space = spaces.Discrete(2)

    def __init__(self, fault: str, at: int) -> None:
        self.fault, self.at, self.count = fault, at, 0

    def reset(self, *, seed: Any = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        self.count = 0
        observation, _ = self.spoilt(0.0)
        return observation, {}

    def step(self, action: Any) -> Any:
        self.count += 1
        observation, reward = self.spoilt(1.0)
        return observation, reward, self.count == 10, False, {}

    def spoilt(self, reward: Any) -> tuple[Any, Any]:
        observation = np.zeros(2, np.float32)
        if self.count != self.at:
            return observation, reward
        if self.fault == "raise":
            return observation, 1 // 0
        field, value = FAULTS[self.fault]
        return (value, reward) if field == "observation" else (observation, value)


def side_by_side(seats: list[ReplayableEnv]) -> VectorEnv:
    return VectorEnv(Here(seats))


@pytest.mark.filterwarnings("ignore:invalid value encountered in dot")
@pytest.mark.parametrize("at", [1, 5, 10], ids=["first", "middle", "terminal"])
@pytest.mark.parametrize("fault", FAULTS)
def test_a_faulty_step_is_named(fault: str, at: int) -> None:
    envs = side_by_side(
        [ReplayableEnv(lambda: Faulty(fault, at), "Faulty-v0 (training 0)")]
    )
    envs.reset()
    with pytest.raises(EnvironmentFault) as caught:
        for _ in range(10):
            envs.step(np.array([0]))
    message = str(caught.value)
    assert message.startswith(f"Faulty-v0 (training 0), step {at}: ")
    assert FAULTS[fault][0] in message


def test_a_faulty_reset_is_named() -> None:
    envs = side_by_side(
        [ReplayableEnv(lambda: Faulty("NaN observation", 0), "Faulty-v0")]
    )
    with pytest.raises(EnvironmentFault, match="step 0: observation of reset"):
        envs.reset()


def test_a_step_of_the_wrong_length_is_a_fault() -> None:
    class Old(Faulty):
        def step(self, action: Any) -> Any:
            return super().step(action)[:4]

    seat = ReplayableEnv(lambda: Old("raise", -1), "Old-v0")
    seat.reset()
    with pytest.raises(
        EnvironmentFault, match="Old-v0, step 1: step with action 0 raised ValueError"
    ):
        seat.step(0)


@pytest.mark.parametrize("env_id", ["CartPole-v1", "Acrobot-v1", "LunarLander-v3"])
@pytest.mark.parametrize("steps", [0, 3, 150])
def test_an_environment_is_put_back_to_a_moment(env_id: str, steps: int) -> None:
    rng = np.random.default_rng(0)
    here, there = (
        side_by_side(
            [ReplayableEnv(lambda: gym.make(env_id), env_id) for _ in range(2)]
        )
        for _ in range(2)
    )
    assert isinstance(here.action_space, spaces.Discrete)
    here.seed(3)
    here.reset()
    for _ in range(steps):
        here.step(rng.integers(here.action_space.n, size=2))
    assert there.place.restore(here.place.snapshots())
    for _ in range(200):
        actions = rng.integers(here.action_space.n, size=2)
        for one, other in zip(
            here.step(actions)[:3], there.step(actions)[:3], strict=True
        ):
            np.testing.assert_array_equal(one, other)


def test_what_lives_on_from_episode_to_episode_is_noticed() -> None:
    class Curriculum(Faulty):
        episodes = 0

        def reset(self, *, seed: Any = None, options: Any = None) -> Any:
            self.episodes += 1
            return super().reset(seed=seed)

    here, there = (
        ReplayableEnv(lambda: Curriculum("raise", -1), "C-v0") for _ in range(2)
    )
    here.reset(seed=1)
    here.step(0)
    assert there.restore(here.snapshot())
    here.reset(seed=2)
    other = ReplayableEnv(lambda: Curriculum("raise", -1), "C-v0")
    assert not other.restore(here.snapshot())


def test_an_environment_that_follows_no_seed_is_noticed() -> None:
    class Loose(Faulty):
        def step(self, action: Any) -> Any:
            _, *rest = super().step(action)
            return np.random.default_rng().random(2).astype(np.float32), *rest

    here, there = (
        ReplayableEnv(lambda: Loose("raise", -1), "Loose-v0") for _ in range(2)
    )
    here.reset(seed=1)
    here.step(0)
    assert not there.restore(here.snapshot())


@pytest.mark.parametrize("kind", ["of NumPy of old", "Mersenne Twister"])
def test_other_kinds_of_generators_are_followed_or_said_not_to_be(kind: str) -> None:
    class Other(Faulty):
        def reset(self, *, seed: Any = None, options: Any = None) -> Any:
            state = np.random.RandomState(seed)
            twister = np.random.Generator(np.random.MT19937(seed))
            generator: Any = state if kind == "of NumPy of old" else twister
            self._np_random = generator
            return super().reset(seed=None)

    here, there = (
        ReplayableEnv(lambda: Other("raise", -1), "Other-v0") for _ in range(2)
    )
    here.reset(seed=1)
    here.step(0)
    assert there.restore(here.snapshot()) == (kind == "Mersenne Twister")


def test_what_stable_baselines3_looks_for_stands_in_the_info() -> None:
    envs = side_by_side([ReplayableEnv(lambda: Faulty("raise", -1), "Faulty-v0")])
    envs.reset()
    for _ in range(9):
        assert envs.step(np.array([0]))[3] == [{}]
    _, _, (over,), (info,) = envs.step(np.array([0]))
    assert over and info["episode"] == {"r": 10.0, "l": 10}
    assert info["TimeLimit.truncated"] is False
