"""Every step is checked, faults are named, environments are brought back."""

from collections.abc import Callable
from functools import partial
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium import spaces

from rltransfer.domain import Domain
from rltransfer.errors import EnvironmentFault
from rltransfer.wrappers import CheckedEnv, ReplayableEnv, subprocess_envs
from rltransfer_agents.loading import load_agent
from rltransfer_agents.training import TrainConfig, train_source
from rltransfer_agents.training.vector_env import VectorEnv

Configure = Callable[..., TrainConfig]

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


def replayable(env: gym.Env[Any, Any], name: str) -> ReplayableEnv:
    return ReplayableEnv(CheckedEnv(env, name))


@pytest.mark.filterwarnings("ignore:invalid value encountered in dot")
@pytest.mark.parametrize("at", [1, 5, 10], ids=["first", "middle", "terminal"])
@pytest.mark.parametrize("fault", FAULTS)
def test_a_faulty_step_is_named(fault: str, at: int) -> None:
    envs = VectorEnv([replayable(Faulty(fault, at), "Faulty-v0 (training 0)")])
    envs.reset()
    with pytest.raises(EnvironmentFault) as caught:
        for _ in range(10):
            envs.step(np.array([0]))
    message = str(caught.value)
    assert message.startswith(f"Faulty-v0 (training 0), step {at}: ")
    assert FAULTS[fault][0] in message


def test_a_faulty_reset_is_named() -> None:
    envs = VectorEnv([replayable(Faulty("NaN observation", 0), "Faulty-v0")])
    with pytest.raises(EnvironmentFault, match="step 0: observation of reset"):
        envs.reset()


@pytest.mark.parametrize("env_id", ["CartPole-v1", "Acrobot-v1", "LunarLander-v3"])
@pytest.mark.parametrize("steps", [0, 3, 150])
def test_environments_are_brought_back_to_a_snapshot(env_id: str, steps: int) -> None:
    rng = np.random.default_rng(0)
    here, there = (
        VectorEnv([replayable(gym.make(env_id), env_id) for _ in range(2)])
        for _ in range(2)
    )
    assert isinstance(here.action_space, spaces.Discrete)
    here.seed(3)
    here.reset()
    for _ in range(steps):
        here.step(rng.integers(here.action_space.n, size=2))
    assert there.restore(here.snapshots())
    for _ in range(200):
        actions = rng.integers(here.action_space.n, size=2)
        for one, other in zip(
            here.step(actions)[:3], there.step(actions)[:3], strict=True
        ):
            np.testing.assert_array_equal(one, other)


def test_an_attribute_that_outlives_episodes_is_noticed() -> None:
    class Curriculum(Faulty):
        episodes = 0

        def reset(self, *, seed: Any = None, options: Any = None) -> Any:
            self.episodes += 1
            return super().reset(seed=seed)

    here, there = (replayable(Curriculum("raise", -1), "C-v0") for _ in range(2))
    here.reset(seed=1)
    here.step(0)
    assert there.restore(here.snapshot())
    here.reset(seed=2)
    other = replayable(Curriculum("raise", -1), "C-v0")
    assert not other.restore(here.snapshot())


def test_an_environment_that_ignores_its_seed_is_noticed() -> None:
    class Loose(Faulty):
        def step(self, action: Any) -> Any:
            _, *rest = super().step(action)
            return np.random.default_rng().random(2).astype(np.float32), *rest

    here, there = (replayable(Loose("raise", -1), "Loose-v0") for _ in range(2))
    here.reset(seed=1)
    here.step(0)
    assert not there.restore(here.snapshot())


@pytest.mark.parametrize("kind", ["legacy", "Mersenne Twister"])
def test_other_generators_are_followed_or_noticed(kind: str) -> None:
    class Other(Faulty):
        def reset(self, *, seed: Any = None, options: Any = None) -> Any:
            state = np.random.RandomState(seed)
            twister = np.random.Generator(np.random.MT19937(seed))
            generator: Any = state if kind == "legacy" else twister
            self._np_random = generator
            return super().reset(seed=None)

    here, there = (replayable(Other("raise", -1), "Other-v0") for _ in range(2))
    here.reset(seed=1)
    here.step(0)
    assert there.restore(here.snapshot()) == (kind == "Mersenne Twister")


def test_what_stable_baselines3_looks_for_stands_in_the_info() -> None:
    envs = VectorEnv([replayable(Faulty("raise", -1), "Faulty-v0")])
    envs.reset()
    for _ in range(9):
        assert envs.step(np.array([0]))[3] == [{}]
    _, _, (over,), (info,) = envs.step(np.array([0]))
    assert over and info["episode"] == {"r": 10.0, "l": 10}
    assert info["TimeLimit.truncated"] is False
    np.testing.assert_array_equal(info["terminal_observation"], [0, 0])


def test_environments_in_processes_of_their_own_step_as_here() -> None:
    make = partial(gym.make, "CartPole-v1", max_episode_steps=7)
    names = ["CartPole-v1 (0)", "CartPole-v1 (1)"]
    here = VectorEnv([replayable(make(), name) for name in names])
    apart, other = (VectorEnv(subprocess_envs(make, names, 30.0)) for _ in range(2))
    for envs in (here, apart):
        envs.seed(3)
        envs.reset()
    for step in range(10):
        ours, theirs = (envs.step(np.array([step % 2, 1])) for envs in (here, apart))
        for one, two in zip(ours[:3], theirs[:3], strict=True):
            np.testing.assert_array_equal(one, two)
        assert [set(info) for info in ours[3]] == [set(info) for info in theirs[3]]
    assert other.restore(here.snapshots())
    for one, two in zip(other.snapshots(), apart.snapshots(), strict=True):
        assert one.attributes == two.attributes and one.steps == two.steps
    for envs in (here, apart, other):
        envs.close()


class Shifted(Faulty):
    """Its choices are 1, 2 and 3; takes no other."""

    action_space = spaces.Discrete(3, start=1)

    def __init__(self) -> None:
        super().__init__("raise", -1)

    def step(self, action: Any) -> Any:
        assert self.action_space.contains(action)
        return super().step(action)


gym.register("training-tests/Shifted-v0", Shifted)


@pytest.mark.parametrize("algorithm", ["dqn", "ppo"])
def test_a_training_counts_the_choices_of_any_environment_from_zero(
    configure: Configure, algorithm: str
) -> None:
    env_id = "training-tests/Shifted-v0"
    run = train_source(configure(algorithm, env_id=env_id))
    agent = load_agent(run.folder)
    assert agent.action_space == Shifted.action_space
    domain = Domain(Shifted, env_id)
    assert domain.action_space == Shifted.action_space
    returns = domain.evaluate(agent.policy, episodes=3, seed=0)
    assert returns.tolist() == [10.0, 10.0, 10.0]
