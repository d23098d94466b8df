"""Which statistics belong to an agent, and what they do to Dict observations."""

import pickle
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium import spaces
from stable_baselines3.common.vec_env import DummyVecEnv, VecNormalize
from stock_agents import STOCK, Still, Stock, numbers

from rltransfer.errors import InputError
from rltransfer_agents.export import export_agent
from rltransfer_agents.loading import Refusal, describe_artifact, load_agent

_STEPS = "rl_model_1000_steps.zip"
_OF_STEPS = "rl_model_vecnormalize_1000_steps.pkl"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """As `CheckpointCallback` leaves it."""
    for name in (_STEPS, "agent.zip"):
        STOCK["ppo"].save(tmp_path / name)
    return tmp_path


def statistics(path: Path, seed: int = 0, size: int = 5) -> None:
    envs = VecNormalize(DummyVecEnv([lambda: gym.make("CartPole-v1")]))
    seen: Any = envs.obs_rms
    seen.mean = np.random.default_rng(seed).normal(size=size)
    seen.var = np.ones(size)
    envs.save(str(path))


def read(path: Path, **options: Any) -> Any:
    return load_agent(path, env_id="CartPole-v1", **options)


def outputs(agent: Any) -> Any:
    return agent.policy.outputs(np.full(5, 0.3, np.float32))


def test_those_of_a_checkpoint_are_known_by_their_steps(folder: Path) -> None:
    statistics(folder / _OF_STEPS)
    statistics(folder / "rl_model_vecnormalize_2000_steps.pkl", seed=1)
    statistics(folder / "vecnormalize.pkl", seed=2)
    agent = read(folder / _STEPS)
    assert agent.statistics == folder / _OF_STEPS
    assert read(folder / "agent.zip").statistics == folder / "vecnormalize.pkl"


def test_other_pickles_beside_an_agent_are_noted_and_can_be_named(folder: Path) -> None:
    statistics(folder / "mine.pkl")
    (folder / "rl_model_replay_buffer_1000_steps.pkl").touch()
    plain = read(folder / "agent.zip")
    (note,) = plain.notes
    assert note == (
        "not used: mine.pkl beside the agent; if one holds its statistics, add "
        "--statistics mine.pkl"
    )
    assert describe_artifact(folder / "agent.zip").notes == (note,)
    for named in (folder / "mine.pkl", "mine.pkl"):
        agent = read(folder / "agent.zip", statistics=named)
        assert (agent.normalised, agent.notes) == (True, ())
        assert not np.array_equal(outputs(agent), outputs(plain))


def test_an_agent_without_statistics_can_be_said_to_have_none(folder: Path) -> None:
    plain = outputs(read(folder / "agent.zip"))
    statistics(folder / "vecnormalize.pkl")
    assert not np.array_equal(outputs(read(folder / "agent.zip")), plain)
    agent = read(folder / "agent.zip", statistics="none")
    assert not agent.normalised
    np.testing.assert_array_equal(outputs(agent), plain)


def test_two_that_could_both_be_meant_are_refused(folder: Path) -> None:
    statistics(folder / "vecnormalize.pkl")
    statistics(folder / "vec_normalize.pkl", seed=1)
    with pytest.raises(InputError, match="either could be meant; name one with") as no:
        read(folder / "agent.zip")
    assert "vecnormalize.pkl" in str(no.value)
    assert "vec_normalize.pkl" in str(no.value)
    assert read(folder / "agent.zip", statistics="vecnormalize.pkl").normalised
    statistics(folder / "vec_normalize.pkl")
    assert read(folder / "agent.zip").normalised, "two equal ones are one"


def test_a_wrong_shape_and_a_missing_file_are_refused(folder: Path) -> None:
    statistics(folder / "mine.pkl", size=4)
    said = r"shape \(5,\); the statistics are of shape \(4,\)"
    with pytest.raises(Refusal, match=said) as refused:
        read(folder / "agent.zip", statistics="mine.pkl")
    assert refused.value.code == "normalisation"
    with pytest.raises(InputError, match=r"there is no nothing\.pkl"):
        read(folder / "agent.zip", statistics="nothing.pkl")


def test_a_bundle_carries_its_own(folder: Path) -> None:
    statistics(folder / "mine.pkl")
    bundle = folder / "agent.safetensors"
    export_agent(folder / "agent.zip", bundle, statistics="mine.pkl")
    expected = outputs(read(folder / "agent.zip", statistics="mine.pkl"))
    np.testing.assert_array_equal(outputs(read(bundle)), expected)
    with pytest.raises(InputError, match="a bundle carries its own statistics"):
        read(bundle, statistics="mine.pkl")


@pytest.mark.parametrize("keys", [None, ["observation"]])
def test_parts_of_observations_have_statistics_each(
    keys: list[str] | None, tmp_path: Path
) -> None:
    space = spaces.Dict(
        achieved_goal=numbers(3), desired_goal=numbers(3), observation=numbers(13)
    )
    model = Stock("ppo", space, spaces.Discrete(2), "MultiInputPolicy").make()
    model.save(tmp_path / "agent.zip")
    envs = VecNormalize(
        DummyVecEnv([lambda: Still(space, spaces.Discrete(2))]), norm_obs_keys=keys
    )
    for _ in range(4):
        envs.reset()
    envs.training = False
    envs.save(str(tmp_path / "vecnormalize.pkl"))
    agent = read(tmp_path / "agent.zip")
    seen = envs.reset()
    raw = envs.get_original_obs()
    expected, _ = model.predict(seen, deterministic=True)
    np.testing.assert_array_equal(agent.predict(raw, deterministic=True)[0], expected)


def test_old_statistics_of_parts_have_no_list_of_keys(tmp_path: Path) -> None:
    space = spaces.Dict(a=numbers(3), b=numbers(2))
    Stock("ppo", space, spaces.Discrete(2), "MultiInputPolicy").save(
        tmp_path / "agent.zip"
    )
    envs = VecNormalize(DummyVecEnv([lambda: Still(space, spaces.Discrete(2))]))
    envs.norm_obs_keys = None
    (tmp_path / "vecnormalize.pkl").write_bytes(pickle.dumps(envs))
    assert read(tmp_path / "agent.zip").normalised


def test_statistics_of_other_parts_are_refused(tmp_path: Path) -> None:
    space = spaces.Dict(a=numbers(3), b=numbers(2))
    Stock("ppo", space, spaces.Discrete(2), "MultiInputPolicy").save(
        tmp_path / "agent.zip"
    )
    statistics(tmp_path / "vecnormalize.pkl")
    with pytest.raises(Refusal, match=r"the parts 'a' \(3,\), 'b' \(2,\)"):
        read(tmp_path / "agent.zip")
