import io
import json
import pickle
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from gymnasium import spaces
from stable_baselines3 import PPO
from stock_agents import STOCK, Still, numbers
from torch import nn

from rltransfer_agents.export import export_agent
from rltransfer_agents.loading import Refusal, load_agent


def rewritten(path: Path, fields: dict[str, Any], weights: Any, old: bool) -> Path:
    """Rewrites a zip with other fields and weights."""
    import zipfile

    with zipfile.ZipFile(path) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    contents["data"] = json.dumps(json.loads(contents["data"]) | fields).encode()
    if weights is not None:
        buffer = io.BytesIO()
        torch.save(weights, buffer, _use_new_zipfile_serialization=not old)
        contents["policy.pth"] = buffer.getvalue()
    target = path.with_name("old.zip")
    with zipfile.ZipFile(target, "w") as archive:
        for name, data in contents.items():
            archive.writestr(name, data)
    return target


def serialized(value: Any, protocol: int = 4) -> dict[str, str]:
    import base64

    data = value if isinstance(value, bytes) else pickle.dumps(value, protocol)
    return {":serialized:": base64.b64encode(data).decode()}


def rows() -> Any:
    return np.random.default_rng(2).normal(size=(100, 5)).astype(np.float32)


@pytest.mark.parametrize("name", ["ppo", "dqn", "sac-noise", "td3"])
def test_weights_of_torch_before_1_6_are_read(name: str, tmp_path: Path) -> None:
    model = STOCK[name].save(tmp_path / "agent.zip")
    path = rewritten(tmp_path / "agent.zip", {}, model.policy.state_dict(), old=True)
    actions, _ = load_agent(path, env_id="CartPole-v1").policy.predict(
        rows(), deterministic=True
    )
    expected, _ = model.predict(rows(), deterministic=True)
    np.testing.assert_allclose(actions, expected, rtol=0, atol=1e-5)


def test_shared_layers_of_before_1_8_are_read(tmp_path: Path) -> None:
    model = PPO("MlpPolicy", Still(numbers(5), spaces.Discrete(4)))
    model.save(tmp_path / "agent.zip")
    generator = torch.Generator().manual_seed(0)

    def layer(inputs: int, outputs: int) -> nn.Linear:
        made = nn.Linear(inputs, outputs)
        for parameter in made.parameters():
            parameter.data.normal_(generator=generator)
        return made

    parts = {
        "mlp_extractor.shared_net.0": layer(5, 8),
        "mlp_extractor.policy_net.0": layer(8, 6),
        "mlp_extractor.value_net.0": layer(8, 7),
        "action_net": layer(6, 4),
        "value_net": layer(7, 1),
    }
    weights = {
        f"{part}.{name}": tensor
        for part, module in parts.items()
        for name, tensor in module.state_dict().items()
    }
    told = {"net_arch": [8, {"pi": [6], "vf": [7]}]}
    fields = {"policy_kwargs": told}
    path = rewritten(tmp_path / "agent.zip", fields, weights, old=False)
    policy = load_agent(path, env_id="CartPole-v1").policy
    with torch.no_grad():
        hidden = torch.from_numpy(rows())
        for part in ("mlp_extractor.shared_net.0", "mlp_extractor.policy_net.0"):
            hidden = torch.tanh(parts[part](hidden))
        expected = parts["action_net"](hidden).numpy()
    np.testing.assert_allclose(policy.outputs(rows()), expected, rtol=0, atol=1e-5)


@pytest.fixture
def gym_of_2021(monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    """Classes that pickle under Gym's names, with the fields of its version 0.19."""
    made = types.ModuleType("gym.spaces.made")
    for package in ("gym", "gym.spaces"):
        empty = types.ModuleType(package)
        vars(empty)["__version__"] = "0.19.0"
        monkeypatch.setitem(sys.modules, package, empty)
    for name, module in (
        ("Box", "box"),
        ("Discrete", "discrete"),
        ("MultiDiscrete", "multi_discrete"),
        ("MultiBinary", "multi_binary"),
    ):
        path = f"gym.spaces.{module}"
        kind = type(name, (), {"__module__": path})
        home = types.ModuleType(path)
        vars(home)[name] = vars(made)[name] = kind
        monkeypatch.setitem(sys.modules, path, home)
    return made


@pytest.mark.parametrize("protocol", [2, 3, 4])
def test_spaces_of_gym_are_read(
    protocol: int, gym_of_2021: Any, tmp_path: Path
) -> None:
    STOCK["ppo"].save(tmp_path / "agent.zip")
    box, discrete = gym_of_2021.Box(), gym_of_2021.Discrete()
    vars(box).update(
        dtype=np.dtype(np.float32),
        shape=(5,),
        low=np.full(5, -np.inf, np.float32),
        high=np.full(5, np.inf, np.float32),
        bounded_below=np.zeros(5, bool),
        bounded_above=np.zeros(5, bool),
        np_random=np.random.RandomState(0),
    )
    vars(discrete).update(n=4, shape=(), dtype=np.dtype(np.int64), np_random=None)
    fields = {
        "observation_space": serialized(box, protocol),
        "action_space": serialized(discrete, protocol),
    }
    path = rewritten(tmp_path / "agent.zip", fields, None, old=False)
    policy = load_agent(path, env_id="CartPole-v1").policy
    assert policy.observation_space == spaces.Box(-np.inf, np.inf, (5,), np.float32)
    assert policy.action_space == spaces.Discrete(4)


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("common.recurrent.policies\nRecurrentActorCriticPolicy", "keep a memory"),
        ("common.maskable.policies\nMaskableActorCriticPolicy", "need a mask"),
        ("crossq.policies\nCrossQPolicy", "are not read yet; use an agent of ppo, a2c"),
    ],
)
def test_policies_that_cannot_be_carried_over_are_named(
    path: str, said: str, tmp_path: Path
) -> None:
    STOCK["ppo"].save(tmp_path / "agent.zip")
    fields = {"policy_class": serialized(f"csb3_contrib.{path}\n.".encode())}
    old = rewritten(tmp_path / "agent.zip", fields, None, old=False)
    with pytest.raises(Refusal, match=said) as refused:
        load_agent(old, env_id="CartPole-v1")
    assert refused.value.code == "unsupported"


@pytest.mark.parametrize("name", ["ars-linear", "ars-linear-discrete"])
def test_ars_with_a_bare_layer_acts_as_with_a_sequence_of_one(
    name: str, tmp_path: Path
) -> None:
    model = STOCK[name].save(tmp_path / "agent.zip")
    state = {
        key.replace("action_net.0.", "action_net."): value
        for key, value in model.policy.state_dict().items()
    }
    assert set(state) == {"action_net.weight"}
    bare = rewritten(tmp_path / "agent.zip", {}, state, old=False)
    observations = np.random.default_rng(0).normal(size=(50, 5)).astype(np.float32)
    actions, _ = load_agent(bare, env_id="CartPole-v1").predict(observations)
    expected, _ = model.predict(observations, deterministic=True)
    np.testing.assert_allclose(actions, expected, rtol=0, atol=1e-5)


def test_the_start_of_choices_is_read_and_kept_in_bundles(tmp_path: Path) -> None:
    space = spaces.MultiDiscrete([3, 1], start=[5, -2])
    STOCK["ppo"].save(tmp_path / "agent.zip")
    fields = {"action_space": serialized(space)}
    path = rewritten(tmp_path / "agent.zip", fields, None, old=False)
    assert load_agent(path, env_id="CartPole-v1").action_space == space
    export_agent(path, tmp_path / "agent.safetensors")
    bundle = load_agent(tmp_path / "agent.safetensors", env_id="CartPole-v1")
    assert bundle.action_space == space
