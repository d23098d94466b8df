from pathlib import Path
from typing import Any

import pytest
from stable_baselines3 import PPO
from stable_baselines3.common.policies import ActorCriticPolicy
from stock_agents import STOCK
from torch import nn

from rltransfer.errors import InputError
from rltransfer_agents.export import export_agent
from rltransfer_agents.loading import describe_artifact, load_agent


class OwnPolicy(ActorCriticPolicy):
    pass


class OwnActivation(nn.Tanh):
    pass


def test_a_zip_is_described(tmp_path: Path) -> None:
    path = tmp_path / "agent.zip"
    STOCK["dqn"].save(path)
    told = describe_artifact(path)
    assert told.usable
    assert told.kind == "Stable-Baselines3 checkpoint"
    assert told.algorithm == "dqn"
    assert told.policy_class == "stable_baselines3.dqn.policies.DQNPolicy"
    assert told.network == ("Vector", "64 relu", "64 relu", "GreedyValues")
    assert told.action_space == "Discrete(4)"
    assert told.steps == 0
    assert "Stable-Baselines3" in told.versions
    assert "lr_schedule (pickle)" in told.ignored
    assert "policy.pth" in dict(told.members)
    assert len(told.sha256) == 64


def test_a_bundle_is_described(tmp_path: Path) -> None:
    STOCK["sac"].save(tmp_path / "agent.zip")
    (path,) = export_agent(tmp_path / "agent.zip", tmp_path / "agent.safetensors")
    told = describe_artifact(path)
    assert (told.usable, told.kind, told.algorithm) == (True, "safe bundle", "sac")


@pytest.mark.parametrize(("ending", "word"), [("npz", "NumPy"), ("onnx", "ONNX")])
def test_exported_policies_are_called_what_they_are(
    ending: str, word: str, tmp_path: Path
) -> None:
    STOCK["ppo"].save(tmp_path / "agent.zip")
    path = tmp_path / f"agent.{ending}"
    export_agent(tmp_path / "agent.zip", path)
    description = describe_artifact(path)
    assert word in description.kind
    assert not description.usable
    with pytest.raises(InputError, match="name the agent it was made from"):
        load_agent(path, env_id="CartPole-v1")


def test_wrappers_and_arguments_of_the_environment_are_described(
    tmp_path: Path,
) -> None:
    STOCK["ppo"].save(tmp_path / "Pendulum-v1.zip")
    settings = tmp_path / "Pendulum-v1"
    settings.mkdir()
    (settings / "config.yml").write_text(
        "env_kwargs: {g: 4.5}\n"
        "env_wrapper: sb3_contrib.common.wrappers.TimeFeatureWrapper\n"
    )
    description = describe_artifact(tmp_path / "Pendulum-v1.zip")
    assert description.environment_kwargs == {"g": 4.5}
    assert description.wrappers == ("TimeFeatureWrapper()",)
    (settings / "config.yml").write_text("env_wrapper: mine.Own\n")
    (refused,) = describe_artifact(tmp_path / "Pendulum-v1.zip").refused
    assert (refused.part, refused.code) == ("wrappers", "wrapper")


def test_each_refusal_is_listed(tmp_path: Path) -> None:
    settings: dict[str, Any] = {"activation_fn": OwnActivation}
    model = PPO(OwnPolicy, "CartPole-v1", policy_kwargs=settings)
    modules = OwnPolicy.__module__, OwnActivation.__module__
    OwnPolicy.__module__ = OwnActivation.__module__ = "__main__"
    try:
        model.save(tmp_path / "own.zip")
    finally:
        OwnPolicy.__module__, OwnActivation.__module__ = modules
    told = describe_artifact(tmp_path / "own.zip")
    assert not told.usable
    assert [(refused.part, refused.code) for refused in told.refused] == [
        ("policy class", "class-by-value"),
        ("policy_kwargs", "class-by-value"),
    ]
    assert "OwnPolicy" in told.refused[0].reason
    assert "OwnActivation" in told.refused[1].reason
    assert told.action_space == "Discrete(2)"


def test_a_damaged_file_is_described_as_far_as_it_goes(tmp_path: Path) -> None:
    STOCK["ppo"].save(tmp_path / "agent.zip")
    path = tmp_path / "cut.zip"
    path.write_bytes((tmp_path / "agent.zip").read_bytes()[:-9])
    told = describe_artifact(path)
    assert [refused.code for refused in told.refused] == ["archive"]


def test_published_files_are_described(published: Path) -> None:
    told = describe_artifact(published / "ppo" / "Hopper-v3_1")
    assert (told.usable, told.algorithm, told.environment) == (True, "ppo", "Hopper-v3")
    assert told.normalisation is not None
    assert told.versions["Python"] == "3.7.10"
    pickled = published / "ppo" / "Hopper-v3_1" / "Hopper-v3" / "vecnormalize.pkl"
    assert "shape (11,)" in str(describe_artifact(pickled).normalisation)


def test_nothing_is_wrong_usage(tmp_path: Path) -> None:
    with pytest.raises(InputError):
        describe_artifact(tmp_path / "nothing")
