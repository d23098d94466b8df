import json
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from gymnasium import spaces
from stable_baselines3 import PPO, SAC
from stable_baselines3.common.policies import ActorCriticPolicy
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from stable_baselines3.common.vec_env import DummyVecEnv, VecNormalize
from stock_agents import STOCK, Still, numbers
from torch import nn

from rltransfer.errors import InputError, StorageError
from rltransfer_agents.export import (
    export_agent,
    export_bundle,
    export_numpy,
    export_onnx,
)
from rltransfer_agents.export.export_checks import random_observations, require_equal
from rltransfer_agents.loading import Refusal, load_agent

_VECTORS = sorted(
    set(STOCK)
    - {"a2c-place", "a2c-places", "dqn-pictures", "ppo-pictures", "ppo-parts"}
    - {"ppo-pictures-apart", "sac-parts"}
)


@pytest.mark.parametrize("name", sorted(STOCK))
def test_a_bundle_of_a_live_model_acts_like_it(name: str, tmp_path: Path) -> None:
    model = STOCK[name].make()
    (path,) = export_bundle(model, tmp_path / "agent.safetensors")
    agent = load_agent(path, env_id="CartPole-v1")
    assert agent.algorithm == STOCK[name].algorithm
    assert agent.policy.observation_space == model.observation_space
    assert agent.policy.action_space == model.action_space


@pytest.mark.parametrize("name", _VECTORS)
def test_an_npz_acts_like_the_policy(name: str, tmp_path: Path) -> None:
    STOCK[name].save(tmp_path / "agent.zip")
    policy = load_agent(tmp_path / "agent.zip", env_id="CartPole-v1").policy
    path, _ = export_numpy(policy, tmp_path / "agent.npz")
    sys.path.insert(0, str(tmp_path))
    try:
        from numpy_loader import load_policy  # type: ignore[import-not-found]
    finally:
        sys.path.pop(0)
    observation = STOCK[name].observation.sample()
    action, _ = policy.predict(observation, deterministic=True)
    np.testing.assert_allclose(load_policy(path)(observation), action, atol=1e-4)


def test_the_numpy_loader_stays_short() -> None:
    from rltransfer_agents.export import numpy_loader

    page = Path(numpy_loader.__file__).read_text()
    assert len(page.splitlines()) < 60
    assert set(re.findall(r"^(?:import|from) (\w+)", page, re.MULTILINE)) <= {
        "json",
        "math",
        "numpy",
        "typing",
    }


@pytest.mark.parametrize("name", _VECTORS)
def test_onnx_acts_like_the_policy(name: str, tmp_path: Path) -> None:
    pytest.importorskip("onnx", reason="the extra onnx is not installed")
    STOCK[name].save(tmp_path / "agent.zip")
    policy = load_agent(tmp_path / "agent.zip", env_id="CartPole-v1").policy
    # The writer compares before it gives the file its name.
    (path,) = export_onnx(policy, tmp_path / "agent.onnx")
    assert path.stat().st_size > 0


def test_the_wrappers_that_a_policy_needs_are_named_in_its_file(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx", reason="the extra onnx is not installed")
    STOCK["dqn"].save(tmp_path / "agent.zip")
    policy = load_agent(tmp_path / "agent.zip", env_id="CartPole-v1").policy
    wrapper = "TimeFeatureWrapper(max_steps=9)"
    (path,) = export_onnx(policy, tmp_path / "agent.onnx", [wrapper])
    assert f"through {wrapper}" in onnx.load(path).doc_string
    path, _ = export_numpy(policy, tmp_path / "agent.npz", [wrapper])
    assert json.loads(str(np.load(path)["policy"]))["wrappers"] == [wrapper]


def test_a_file_that_is_there_is_never_overwritten(tmp_path: Path) -> None:
    STOCK["dqn"].save(tmp_path / "agent.zip")
    policy = load_agent(tmp_path / "agent.zip", env_id="CartPole-v1").policy
    page = tmp_path / "numpy_loader.py"
    page.write_text("my own")
    with pytest.raises(
        InputError, match=r"numpy_loader\.py exists already and is another"
    ):
        export_numpy(policy, tmp_path / "agent.npz")
    assert not (tmp_path / "agent.npz").exists() and page.read_text() == "my own"
    page.unlink()
    assert len(export_numpy(policy, tmp_path / "one.npz")) == 2
    # The page of the same version serves both.
    assert export_numpy(policy, tmp_path / "two.npz") == (tmp_path / "two.npz",)
    for write, name in ((export_numpy, "one.npz"), (export_onnx, "mine.onnx")):
        (tmp_path / name).write_text("my own")
        with pytest.raises(InputError, match=f"{name} exists already; remove it"):
            write(policy, tmp_path / name)
        assert (tmp_path / name).read_text() == "my own"
    for suffix in (".safetensors", ".npz"):
        (tmp_path / f"there{suffix}").mkdir()
        with pytest.raises(InputError, match="exists already"):
            export_agent(tmp_path / "agent.zip", tmp_path / f"there{suffix}")


def test_files_are_compared_on_observations_of_ordinary_size() -> None:
    low, high = np.array([-4.8, -3.4e38, 2.0]), np.array([4.8, 3.4e38, np.inf])
    rows = random_observations(spaces.Box(low, high, dtype=np.float64), seed=0)
    assert np.abs(rows[:, 0]).max() <= 4.8 and np.abs(rows[:, 0]).mean() > 2
    assert 5 < np.abs(rows[:, 1]).max() < 20
    assert (rows[:, 2] >= 2).all() and np.isfinite(rows).all()
    assert set(random_observations(spaces.Discrete(3, start=7), 0)) == {0, 1, 2}
    places = random_observations(spaces.MultiDiscrete([2, 3], start=[5, 9]), 0)
    assert places.max(axis=0).tolist() == [1, 2]


def test_a_file_that_gives_no_numbers_is_not_equal(tmp_path: Path) -> None:
    STOCK["sac"].save(tmp_path / "agent.zip")
    policy = load_agent(tmp_path / "agent.zip", env_id="Pendulum-v1").policy

    def broken(rows: Any) -> Any:
        return policy.predict(rows, deterministic=True)[0] * np.nan

    with pytest.raises(InputError, match="must act as the original"):
        require_equal(broken, policy, "a file")


def test_a_policy_of_pictures_is_not_written_for_other_runtimes(tmp_path: Path) -> None:
    STOCK["ppo-pictures"].save(tmp_path / "agent.zip")
    policy = load_agent(tmp_path / "agent.zip", env_id="CartPole-v1").policy
    with pytest.raises(InputError, match=r"write a bundle \(\.safetensors\) instead"):
        export_numpy(policy, tmp_path / "agent.npz")
    assert not (tmp_path / "agent.npz").exists()


class OwnExtractor(BaseFeaturesExtractor):
    def __init__(self, observation_space: spaces.Box) -> None:
        super().__init__(observation_space, features_dim=7)
        inputs = int(np.prod(observation_space.shape))
        self.layers = nn.Sequential(
            nn.Linear(inputs, 9), nn.SiLU(), nn.Dropout(), nn.Linear(9, 7)
        )

    def forward(self, observations: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.layers(observations)
        return out


class OwnPolicy(ActorCriticPolicy):
    pass


class TwistedPolicy(ActorCriticPolicy):
    def _predict(self, observation: Any, deterministic: bool = False) -> torch.Tensor:
        return 3 - super()._predict(observation, deterministic)


def model_with(policy: Any, **policy_kwargs: Any) -> Any:
    envs = VecNormalize(
        DummyVecEnv([lambda: Still(numbers(4), spaces.Discrete(4))] * 2)
    )
    model = PPO(policy, envs, n_steps=32, batch_size=32, policy_kwargs=policy_kwargs)
    model.learn(64)
    with torch.no_grad():
        for parameter in model.policy.parameters():
            parameter.normal_(generator=torch.Generator().manual_seed(3))
    return model


def test_own_classes_travel_as_a_bundle(tmp_path: Path) -> None:
    model = model_with(OwnPolicy, features_extractor_class=OwnExtractor)
    (path,) = export_bundle(model, tmp_path / "own.safetensors")
    agent = load_agent(path, env_id="CartPole-v1")
    envs = model.get_vec_normalize_env()
    rows = np.random.default_rng(0).normal(size=(300, 4)).astype(np.float32)
    expected, _ = model.predict(envs.normalize_obs(rows), deterministic=True)
    actions, _ = agent.policy.predict(rows, deterministic=True)
    assert agent.normalised
    assert (actions == expected).mean() > 0.99


def test_a_policy_that_acts_otherwise_is_found_out(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="must act as the original"):
        export_bundle(model_with(TwistedPolicy), tmp_path / "own.safetensors")
    assert not list(tmp_path.iterdir())


def test_own_classes_in_a_zip_are_refused_by_name(tmp_path: Path) -> None:
    model = model_with(OwnPolicy)
    # A class in __main__ is what cloudpickle takes along by value.
    OwnPolicy.__module__ = "__main__"
    try:
        model.save(tmp_path / "own.zip")
    finally:
        OwnPolicy.__module__ = __name__
    with pytest.raises(Refusal, match=r"OwnPolicy.*export_bundle") as refused:
        load_agent(tmp_path / "own.zip", env_id="CartPole-v1")
    assert refused.value.code == "class-by-value"


def test_a_zip_becomes_the_same_agent_as_a_bundle(tmp_path: Path) -> None:
    STOCK["sac"].save(tmp_path / "agent.zip")
    before = load_agent(tmp_path / "agent.zip", env_id="Pendulum-v1")
    export_agent(tmp_path / "agent.zip", tmp_path / "agent.safetensors")
    after = load_agent(tmp_path / "agent.safetensors", env_id="Pendulum-v1")
    rows = np.stack([before.policy.observation_space.sample() for _ in range(50)])
    np.testing.assert_array_equal(
        before.policy.predict(rows, deterministic=True)[0],
        after.policy.predict(rows, deterministic=True)[0],
    )


def test_the_environment_travels_with_a_bundle(tmp_path: Path) -> None:
    model = SAC("MlpPolicy", "Pendulum-v1", policy_kwargs={"net_arch": [8]})
    (path,) = export_bundle(model, tmp_path / "agent.safetensors")
    assert load_agent(path).env_id == "Pendulum-v1"


@pytest.mark.parametrize("suffix", [".safetensors", ".npz", ".onnx"])
def test_the_name_tells_the_format(suffix: str, tmp_path: Path) -> None:
    STOCK["dqn"].save(tmp_path / "agent.zip")
    path, *_ = export_agent(tmp_path / "agent.zip", tmp_path / f"agent{suffix}")
    assert path.stat().st_size > 0


def test_an_unknown_format_is_refused(tmp_path: Path) -> None:
    STOCK["dqn"].save(tmp_path / "agent.zip")
    with pytest.raises(InputError, match=r"must end in \.safetensors, \.npz, \.onnx"):
        export_agent(tmp_path / "agent.zip", tmp_path / "agent.pt")


def test_a_full_disk_leaves_no_half_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    STOCK["dqn"].save(tmp_path / "agent.zip")
    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(StorageError, match="no space left"):
        export_agent(tmp_path / "agent.zip", tmp_path / "agent.safetensors")
    assert [path.name for path in tmp_path.iterdir()] == ["agent.zip"]
