from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from gymnasium import spaces
from stock_agents import STOCK, UNEVEN

from rltransfer.domain import codec_of
from rltransfer.errors import InputError
from rltransfer.mapping import Affine, Mlp, Network, ResidualAffine
from rltransfer.translation import MappedPolicy, Translation
from rltransfer_agents.export import export_mapped_onnx
from rltransfer_agents.export.onnx_export import onnx_runner
from rltransfer_agents.loading import load_agent

pytest.importorskip("onnx", reason="the extra onnx is not installed")

_STATE = 5  # what the stock agents see
_TARGETS: dict[str, spaces.Space[Any]] = {
    "choices": spaces.Discrete(3),
    "one number": spaces.Box(-2.0, 1.0, (1,), np.float32),
    "two numbers": spaces.Box(-2.0, 1.0, (2,), np.float32),
}


def mapped(source: str, target: spaces.Space[Any], nonlinear: bool, path: Path) -> Any:
    STOCK[source].save(path / "agent.zip")
    policy = load_agent(path / "agent.zip", env_id="CartPole-v1").policy
    here, there = (
        codec_of(space, "a space") for space in (policy.action_space, target)
    )
    generator = torch.Generator().manual_seed(4)
    kind = "identity" if nonlinear else "sum_to_one"
    state: Network = Affine(4, _STATE, activation=kind, generator=generator)
    if nonlinear:
        state = ResidualAffine.around(state, (6,), generator=generator)
        for parameter in state.residual.layers[-1].parameters():
            parameter.data.normal_(generator=generator)
    translation = Translation(
        state=state,
        unwhiten=Affine(_STATE, _STATE, generator=generator),
        gain=Mlp(_STATE, (8,), _STATE * here.size, generator=generator),
        action=Affine(there.size, here.size, generator=generator),
    )
    return MappedPolicy(policy, translation, here, there)


@pytest.mark.parametrize("nonlinear", [False, True])
@pytest.mark.parametrize("target", sorted(_TARGETS))
@pytest.mark.parametrize("source", ["ppo", "sac"])
def test_a_mapped_policy_acts_alike_in_onnx(
    source: str, target: str, nonlinear: bool, tmp_path: Path
) -> None:
    policy = mapped(source, _TARGETS[target], nonlinear, tmp_path)
    # The writer compares before it gives the file its name.
    (path,) = export_mapped_onnx(policy, _TARGETS[target], tmp_path / "mapped.onnx")
    assert path.stat().st_size > 0


def test_without_an_action_map_the_source_s_actions_are_given(tmp_path: Path) -> None:
    STOCK["ppo"].save(tmp_path / "agent.zip")
    policy = load_agent(tmp_path / "agent.zip", env_id="CartPole-v1").policy
    codec = codec_of(policy.action_space, "both")
    same = MappedPolicy(policy, Translation.identity(_STATE), codec, codec)
    (path,) = export_mapped_onnx(same, policy.action_space, tmp_path / "mapped.onnx")
    assert path.exists()


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("ppo", spaces.Discrete(4, start=3)),
        ("sac", spaces.Box(-3.0, 5.0, UNEVEN.shape, np.float32)),
    ],
)
def test_the_same_actions_may_be_counted_or_bounded_otherwise(
    source: str, target: spaces.Space[Any], tmp_path: Path
) -> None:
    STOCK[source].save(tmp_path / "agent.zip")
    policy = load_agent(tmp_path / "agent.zip", env_id="CartPole-v1").policy
    here, there = (codec_of(s, "a space") for s in (policy.action_space, target))
    same = MappedPolicy(policy, Translation.identity(_STATE), here, there)
    (path,) = export_mapped_onnx(same, target, tmp_path / "mapped.onnx")
    rows = np.random.default_rng(1).normal(size=(50, _STATE)).astype(np.float32)
    actions = onnx_runner(path.read_bytes())(rows)
    expected, _ = same.predict(rows, deterministic=True)
    np.testing.assert_allclose(actions, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("motors", [1, 2, 3])
def test_an_action_map_that_is_not_affine_is_written_as_well(
    motors: int, tmp_path: Path
) -> None:
    target = spaces.Box(-2.0, 1.0, (motors,), np.float32)
    policy = mapped("ppo", target, False, tmp_path)
    nonlinear = Mlp(motors, (4,), 4, generator=torch.Generator().manual_seed(0))
    parts = policy.translation
    odd = Translation(parts.state, parts.unwhiten, parts.gain, nonlinear)
    here, there = (codec_of(s, "a space") for s in (policy.policy.action_space, target))
    mapped_policy = MappedPolicy(policy.policy, odd, here, there)
    (path,) = export_mapped_onnx(mapped_policy, target, tmp_path / "m.onnx")
    assert path.exists()


def test_only_a_policy_out_of_a_file_can_be_written(tmp_path: Path) -> None:
    target = _TARGETS["choices"]
    policy = mapped("ppo", target, False, tmp_path)
    codec = codec_of(target, "a space")
    twice = MappedPolicy(policy, Translation.identity(4), codec, codec)
    with pytest.raises(InputError, match="read it with load_agent"):
        export_mapped_onnx(twice, target, tmp_path / "m.onnx")
    assert not (tmp_path / "m.onnx").exists()


def test_a_graph_remembers_nothing(tmp_path: Path) -> None:
    policy = mapped("ppo", _TARGETS["choices"], False, tmp_path)
    state = Affine.of(torch.zeros(4 + 4 + 3, _STATE), torch.zeros(_STATE))
    parts = replace(policy.translation, state=state, steps=2)
    here, there = policy.policy.action_space, _TARGETS["choices"]
    codecs = (codec_of(space, "a space") for space in (here, there))
    remembering = MappedPolicy(policy.policy, parts, *codecs)
    with pytest.raises(InputError, match="last 2 and has to remember them"):
        export_mapped_onnx(remembering, there, tmp_path / "m.onnx")
    assert not (tmp_path / "m.onnx").exists()
