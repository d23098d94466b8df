from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium import spaces
from stable_baselines3.common.vec_env import DummyVecEnv, VecFrameStack, VecNormalize
from stock_agents import Still, Stock, numbers

from rltransfer.errors import InputError
from rltransfer_agents.export import export_agent
from rltransfer_agents.loading import Refusal, load_agent
from rltransfer_agents.loading.environment_wrappers import wrapped, wrappers_of
from rltransfer_agents.loading.zoo_wrappers import StackFrames, TimeFeature

_CLASS = "TimeFeatureWrapper"
_TIME = f"sb3_contrib.common.wrappers.{_CLASS}"


def names(settings: dict[str, Any]) -> list[str]:
    return [str(wrapper) for wrapper in wrappers_of(settings)]


@pytest.mark.parametrize("env_id", ["Pendulum-v1", "CartPole-v1"])
def test_the_time_feature_equals_that_of_sb3_contrib(env_id: str) -> None:
    contrib = pytest.importorskip("sb3_contrib.common.wrappers")
    ours = TimeFeature(gym.make(env_id))
    theirs = contrib.TimeFeatureWrapper(gym.make(env_id))
    assert ours.observation_space == theirs.observation_space
    np.testing.assert_array_equal(ours.reset(seed=1)[0], theirs.reset(seed=1)[0])
    ours.action_space.seed(0)
    for _ in range(30):
        action = ours.action_space.sample()
        own, other = ours.step(action), theirs.step(action)
        np.testing.assert_array_equal(own[0], other[0])
        assert own[0].dtype == other[0].dtype
        assert own[1:4] == other[1:4]
        if own[2]:
            ours.reset(seed=2)
            theirs.reset(seed=2)


def test_the_time_is_appended_to_the_observation_of_a_goal_environment() -> None:
    space = spaces.Dict(observation=numbers(2), desired_goal=numbers(1))
    env = TimeFeature(Still(space, spaces.Discrete(2)), max_steps=4)
    env.reset()
    observation, *_ = env.step(0)
    assert observation["observation"][-1] == pytest.approx(0.75)
    assert env.observation_space.contains(observation)


def test_stacked_frames_equal_those_of_stable_baselines() -> None:
    ours = StackFrames(gym.make("CartPole-v1"), 3)
    theirs = VecFrameStack(DummyVecEnv([lambda: gym.make("CartPole-v1")]), 3)
    theirs.seed(5)
    assert ours.observation_space == theirs.observation_space
    np.testing.assert_array_equal(ours.reset(seed=5)[0], theirs.reset()[0])
    for _ in range(5):
        observation = theirs.step(np.array([1]))[0]
        np.testing.assert_array_equal(ours.step(1)[0], observation[0])


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, []),
        ({"env_wrapper": None, "frame_stack": None}, []),
        ({"env_wrapper": _TIME}, ["TimeFeatureWrapper()"]),
        (
            {"env_wrapper": "utils.wrappers.TimeFeatureWrapper"},
            ["TimeFeatureWrapper()"],
        ),
        (
            {"env_wrapper": ["rl_zoo3.wrappers.TimeFeatureWrapper"]},
            ["TimeFeatureWrapper()"],
        ),
        (
            {"env_wrapper": [{_TIME: {"max_steps": 50}}]},
            ["TimeFeatureWrapper(max_steps=50)"],
        ),
        (
            {
                "env_wrapper": ["gymnasium.wrappers.FlattenObservation"],
                "frame_stack": 4,
            },
            ["FlattenObservation()", "VecFrameStack(n_stack=4)"],
        ),
        ({"env_wrapper": "stable_baselines3.common.monitor.Monitor"}, []),
        (
            {"env_wrapper": {"gym.wrappers.RescaleAction": {"a": -1, "b": 1}}},
            ["RescaleAction(a=-1, b=1)"],
        ),
    ],
)
def test_stock_wrappers_are_known(
    settings: dict[str, Any], expected: list[str]
) -> None:
    assert names(settings) == expected


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"env_wrapper": "os.system"}, "'os.system', which cannot be made"),
        ({"env_wrapper": "my.wrappers.TimeFeatureWrapper"}, "cannot be made again"),
        ({"env_wrapper": "rl_zoo3.wrappers.HistoryWrapper"}, "cannot be made again"),
        ({"history": 2}, "'history', which cannot"),
        ({"vec_env_wrapper": "mine.Vec"}, "'mine.Vec'"),
        ({"frame_stack": "4"}, "does not take n_stack='4'"),
        ({"frame_stack": 10**9}, "does not take n_stack"),
        ({"env_wrapper": {_TIME: {"max_steps": -1}}}, "does not take max_steps=-1"),
        ({"env_wrapper": {_TIME: {"env": 1}}}, "takes max_steps, test_mode, got 'env'"),
        ({"env_wrapper": 3}, "a wrapper is a name"),
        ({"env_wrapper": {"a": 1, "b": 2}}, "a wrapper is a name"),
        ({"env_wrapper": [_TIME] * 20}, "may name 16"),
    ],
)
def test_all_others_are_refused_by_name(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(Refusal, match=said) as refused:
        wrappers_of(settings)
    assert refused.value.code == "wrapper"
    assert str(refused.value).isprintable()


def test_wrappers_are_put_on_in_order() -> None:
    settings = {"env_wrapper": [{_TIME: {}}], "frame_stack": 2}
    env = wrapped(gym.make("CartPole-v1"), wrappers_of(settings))
    assert env.observation_space.shape == (10,)
    scaled = wrapped(
        gym.make("Pendulum-v1"),
        wrappers_of({"env_wrapper": ["gymnasium.wrappers.RescaleAction"]}),
    )
    assert scaled.action_space == spaces.Box(-1, 1, (1,), np.float32)


def test_a_wrapper_that_does_not_fit_is_named() -> None:
    chosen = wrappers_of({"env_wrapper": "gymnasium.wrappers.RescaleAction"})
    with pytest.raises(InputError, match=r"RescaleAction\(\) does not fit"):
        wrapped(gym.make("CartPole-v1"), chosen)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A folder as RL Zoo makes it, of an agent that saw the time."""
    (tmp_path / "Pendulum-v1").mkdir()
    (tmp_path / "Pendulum-v1" / "config.yml").write_text(f"env_wrapper: {_TIME}\n")
    env = TimeFeature(gym.make("Pendulum-v1"))
    stock = Stock("ppo", env.observation_space, env.action_space)
    stock.save(tmp_path / "Pendulum-v1.zip")
    return tmp_path


def test_an_agent_brings_the_wrappers_of_its_run(run: Path, tmp_path: Path) -> None:
    agent = load_agent(run)
    assert [str(wrapper) for wrapper in agent.wrappers] == ["TimeFeatureWrapper()"]
    export_agent(run, tmp_path / "agent.safetensors")
    again = load_agent(tmp_path / "agent.safetensors")
    assert again.wrappers == agent.wrappers


def test_stacked_frames_that_were_normalised_are_refused(run: Path) -> None:
    (run / "Pendulum-v1" / "config.yml").write_text("frame_stack: 2\n")
    envs = VecNormalize(DummyVecEnv([lambda: gym.make("Pendulum-v1")]))
    envs.save(str(run / "Pendulum-v1" / "vecnormalize.pkl"))
    with pytest.raises(Refusal, match="normalised before its frames were stacked"):
        load_agent(run)
