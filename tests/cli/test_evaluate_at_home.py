"""What is read is also evaluated at home, whatever its spaces, wrappers, statistics."""

from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium import spaces
from stable_baselines3 import PPO, SAC
from stable_baselines3.common.vec_env import DummyVecEnv, VecNormalize
from typing_extensions import override

import rltransfer
from rltransfer.errors import InputError

_NUMBERS = spaces.Box(-2.0, 2.0, (3,), np.float32)
_TIME = "sb3_contrib.common.wrappers.TimeFeatureWrapper"


class Short(gym.Env[Any, Any]):
    """Three steps; pays 1 for each action that is in its space."""

    def __init__(self, observation: Any = _NUMBERS, action: Any = None) -> None:
        self.observation_space = observation
        self.action_space = spaces.Discrete(2) if action is None else action
        self._steps = 0

    @override
    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        self.observation_space.seed(seed)
        self._steps = 0
        return self.observation_space.sample(), {}

    @override
    def step(self, action: Any) -> Any:
        self._steps += 1
        space = self.action_space
        typed = np.asarray(action).astype(space.dtype)[()]
        paid = float(space.contains(typed))
        return self.observation_space.sample(), paid, self._steps == 3, False, {}


def saved(env: Any, folder: Path, policy: str = "MlpPolicy") -> Path:
    small: Any = {"net_arch": [4]}
    PPO(policy, env, n_steps=8, batch_size=8, policy_kwargs=small).save(
        folder / "agent.zip"
    )
    return folder / "agent.zip"


_KINDS: dict[str, tuple[Any, Any]] = {
    "choices": (_NUMBERS, spaces.MultiDiscrete([2, 3])),
    "switches": (spaces.MultiBinary(4), spaces.MultiBinary(2)),
    "places": (spaces.Discrete(5), spaces.Discrete(2)),
    "many places": (spaces.MultiDiscrete([3, 2]), spaces.Discrete(2)),
    "parts": (spaces.Dict(a=_NUMBERS, b=spaces.Discrete(3)), spaces.Discrete(2)),
    "tables": (
        spaces.Box(-1, 1, (2, 3), np.float32),
        spaces.Box(-1, 1, (2, 2), np.float32),
    ),
}


@pytest.mark.parametrize("kind", sorted(_KINDS))
def test_agents_of_every_space_are_evaluated(kind: str, tmp_path: Path) -> None:
    def make() -> Short:
        return Short(*_KINDS[kind])

    policy = "MultiInputPolicy" if kind == "parts" else "MlpPolicy"
    path = saved(make(), tmp_path, policy)
    result = rltransfer.evaluate(path, make, episodes=2)
    assert result.mean_return == pytest.approx(3.0)


def test_what_cannot_be_mapped_is_said_by_transfer(tmp_path: Path) -> None:
    def make() -> Short:
        return Short(*_KINDS["many places"])

    path = saved(make(), tmp_path)
    with pytest.raises(InputError, match="FlattenObservation"):
        rltransfer.transfer(path, "CartPole-v1", source_env=make, log_folder=tmp_path)


def test_choices_of_other_numbers_are_others(tmp_path: Path) -> None:
    path = saved(Short(_NUMBERS, spaces.MultiDiscrete([2, 3])), tmp_path)
    with pytest.raises(InputError, match="differ in nvec"):
        rltransfer.evaluate(
            path, lambda: Short(_NUMBERS, spaces.MultiDiscrete([3, 2])), episodes=1
        )


def test_an_agent_that_saw_the_time_is_evaluated_in_its_wrapper(tmp_path: Path) -> None:
    (tmp_path / "Pendulum-v1").mkdir()
    (tmp_path / "Pendulum-v1" / "config.yml").write_text(f"env_wrapper: {_TIME}\n")
    contrib = pytest.importorskip("sb3_contrib.common.wrappers")
    env = contrib.TimeFeatureWrapper(gym.make("Pendulum-v1"))
    model = SAC("MlpPolicy", env, buffer_size=10, policy_kwargs={"net_arch": [4]})
    model.save(tmp_path / "Pendulum-v1.zip")
    result = rltransfer.evaluate(tmp_path, episodes=1)
    paid, over = 0.0, False
    observation = env.reset(seed=0)[0]
    while not over:
        action, _ = model.predict(observation, deterministic=True)
        observation, reward, terminated, truncated, _ = env.step(action)
        paid, over = paid + float(reward), terminated or truncated
    assert result.mean_return == pytest.approx(paid, rel=1e-3)
    assert result.as_json()["env_wrappers"] == ["TimeFeatureWrapper()"]
    found = rltransfer.inspect(tmp_path)
    assert found.as_json()["verbs"]["transfer"] == "yes"


def test_without_its_wrapper_no_verb_suggests_another_that_would_refuse(
    tmp_path: Path,
) -> None:
    contrib = pytest.importorskip("sb3_contrib.common.wrappers")
    env = contrib.TimeFeatureWrapper(gym.make("Pendulum-v1"))
    (tmp_path / "Pendulum-v1").mkdir()
    (tmp_path / "Pendulum-v1" / "config.yml").write_text("n_timesteps: 8\n")
    saved(env, tmp_path).rename(tmp_path / "Pendulum-v1.zip")
    remedy = "name the environment it was trained in with --env"
    verbs = rltransfer.inspect(tmp_path).as_json()["verbs"]
    assert verbs["evaluate"].endswith(remedy) and verbs["transfer"].endswith(remedy)
    for other in (None, "CartPole-v1"):
        with pytest.raises(InputError, match=f"differ in .*; {remedy}$"):
            rltransfer.evaluate(tmp_path, other, episodes=1)
    with pytest.raises(InputError, match=f"differ in shape; {remedy}$"):
        rltransfer.transfer(tmp_path, "CartPole-v1", log_folder=tmp_path)


def test_a_transfer_is_suggested_only_into_what_can_be_mapped(tmp_path: Path) -> None:
    agent = saved(gym.make("CartPole-v1"), tmp_path)
    (tmp_path / "CartPole-v1").mkdir()
    (tmp_path / "CartPole-v1" / "config.yml").write_text("n_timesteps: 8\n")
    agent.rename(tmp_path / "CartPole-v1.zip")
    with pytest.raises(InputError, match="; transfer it: rltransfer transfer --source"):
        rltransfer.evaluate(tmp_path, "Pendulum-v1", episodes=1)
    with pytest.raises(InputError, match="name the environment it was trained in"):
        rltransfer.evaluate(tmp_path, lambda: Short(*_KINDS["parts"]), episodes=1)


def test_one_episode_has_no_interval_and_the_result_says_so(tmp_path: Path) -> None:
    path = saved(Short(), tmp_path)
    one = rltransfer.evaluate(path, Short, episodes=1)
    assert one.as_json()["ci95"] is None and "n/a" in str(one)
    for episodes, told in ((1, "one episode has no interval"), (2, "2 episodes are")):
        result = rltransfer.evaluate(path, Short, episodes=episodes)
        assert any(told in note for note in result.as_json()["notes"])
        assert told in str(result)
    assert not rltransfer.evaluate(path, Short, episodes=20).as_json()["notes"]


def test_statistics_are_shown_and_others_noted(tmp_path: Path) -> None:
    envs = VecNormalize(DummyVecEnv([lambda: gym.make("CartPole-v1")]))
    model = PPO("MlpPolicy", envs, n_steps=8, batch_size=8)
    model.save(tmp_path / "rl_model_8_steps.zip")
    envs.save(str(tmp_path / "rl_model_vecnormalize_8_steps.pkl"))
    path = tmp_path / "rl_model_8_steps.zip"
    result = rltransfer.evaluate(path, "CartPole-v1", episodes=1)
    known = str(tmp_path / "rl_model_vecnormalize_8_steps.pkl")
    assert result.as_json()["statistics"] == known
    named = tmp_path / "mine.pkl"
    (tmp_path / "rl_model_vecnormalize_8_steps.pkl").rename(named)
    result = rltransfer.evaluate(path, "CartPole-v1", episodes=1)
    assert "not used: mine.pkl" in result.as_json()["notes"][0]
    again = rltransfer.evaluate(path, "CartPole-v1", episodes=1, statistics="mine.pkl")
    assert again.as_json()["statistics"] == str(named)
    with pytest.raises(InputError, match="--statistics is given once for each"):
        rltransfer.transfer([path, path], "CartPole-v1", statistics=["none"])
