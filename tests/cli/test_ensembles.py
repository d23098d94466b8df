"""An ensemble of two agents, from its transfer to a folder that is opened again."""

from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from stable_baselines3 import PPO

import rltransfer
from rltransfer.io import read_manifest
from rltransfer.translation import EnsemblePolicy
from tests.cli.conftest import Call, Command, call
from tests.worlds.line import HalfLine, Line

TARGET = "ensemble-tests/Line-v0"
HOMES = {1.0: "ensemble-tests/Right-v0", -1.0: "ensemble-tests/Left-v0"}
"""By the side on which they are as the target."""
gym.register(TARGET, Line)
for _side, _home in HOMES.items():
    gym.register(_home, HalfLine, kwargs={"side": _side})
PLAIN = "matched,responses,history,residual,affine,signed permutation,same sensors"
EFFORT = (
    *("source_steps=1500", "learning.width=16", "learning.updates=200"),
    *("restarts=4", "updates=20", f"without={PLAIN},tuned", "ensemble.members=4"),
)


def agent_of(side: float, folder: Path) -> Path:
    """Returns an agent that goes home in its world: always to one side."""
    env = gym.make(HOMES[side])
    nets: dict[str, Any] = {"net_arch": [2], "activation_fn": torch.nn.ReLU}
    model = PPO("MlpPolicy", env, policy_kwargs=nets, device="cpu")
    with torch.no_grad():
        hidden, last = model.policy.mlp_extractor.policy_net[0], model.policy.action_net
        hidden.weight.copy_(torch.tensor([[1.0], [-1.0]]))
        last.weight.copy_(torch.tensor([[-8.0, -8.0]]) * side)
        hidden.bias.zero_()
        last.bias.zero_()
    path = folder / f"half{side:+.0f}.zip"
    model.save(path)
    return path


@pytest.fixture(scope="module")
def transferred(tmp_path_factory: pytest.TempPathFactory) -> Call:
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("ensemble")
    agents = [agent_of(side, folder) for side in HOMES]
    words = (
        "--source-env",
        *HOMES.values(),
        "--target",
        TARGET,
        "-n",
        1500,
        "-f",
        folder,
    )
    given = ("transfer", "--source", *agents, *words, "--hyperparams", *EFFORT)
    made = call(*given, "--no-report", "--json")
    assert made.exit_status == 0, made.errors
    return made


@pytest.fixture(scope="module")
def run(transferred: Call) -> Path:
    return Path(transferred.json["run"])


def test_both_sources_are_told_with_their_say(transferred: Call) -> None:
    found = transferred.json
    assert found["accepted"]
    home, own = (found[n]["mean_return"] for n in ("source_at_home", "zero_shot"))
    assert own == pytest.approx(home, rel=0.5) and own > found["random"]["mean_return"]
    assert [one["members"] for one in found["sources"]] == [1, 1]
    assert sum(one["say"] for one in found["sources"]) == pytest.approx(1)
    kept, other = sorted(found["sources"], key=lambda one: not one["kept"])
    assert kept["family"] == "ensemble"
    assert other["verdict"].startswith("not tested alone: 1 of the ensemble's members")


def test_the_folder_acts_by_itself(
    command: Command, transferred: Call, run: Path
) -> None:
    loaded = rltransfer.load_agent(run)
    assert isinstance(loaded.policy, EnsemblePolicy)
    rows = np.linspace(-1, 1, 9, dtype=np.float32)[:, None]
    actions = loaded.policy.predict(rows)[0]
    # Home from both sides, which neither of them does alone.
    assert (np.sign(actions[:4]) == 1).all() and (np.sign(actions[-4:]) == -1).all()
    told = transferred.json
    seed = ("--seed", told["report_seed"], "--json")
    again = command("evaluate", run, "--env", TARGET, *seed).json
    assert again["mean_return"] == told["zero_shot"]["mean_return"]


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("export", "{run}", "{tmp}/line.onnx"), "as an ensemble of 2"),
        (("explain", "{run}"), "ensemble of 2 maps"),
        (("evaluate", "{run}", "--env", TARGET, "--adapt"), "or as an ensemble"),
    ],
)
def test_what_needs_one_map_is_refused_in_one_line(
    command: Command, run: Path, tmp_path: Path, words: tuple[str, ...], reason: str
) -> None:
    found = command(*(word.format(run=run, tmp=tmp_path) for word in words))
    if words[0] == "explain":
        assert found.exit_status == 0 and reason in found.output.replace("\n", " ")
    else:
        assert found.exit_status == 2 and reason in found.error


def test_an_agent_that_is_gone_is_named(command: Command, run: Path) -> None:
    name = "mapping/ensemble/source_1.safetensors"
    assert name in read_manifest(run).files
    (run / name).rename(run / "elsewhere")
    try:
        found = command("evaluate", run, "--env", TARGET)
        assert found.exit_status == 2 and "put it back" in found.error
    finally:
        (run / "elsewhere").rename(run / name)


def test_a_transfer_cannot_be_a_member_beside_others(
    command: Command, run: Path, tmp_path: Path
) -> None:
    sources = ("--source", run, agent_of(1.0, tmp_path))
    given = (*sources, "--source-env", TARGET, HOMES[1.0])
    words = (*given, "--target", TARGET, "-n", 1500, "-f", tmp_path / "runs")
    found = command("transfer", *words, "--hyperparams", *EFFORT)
    assert found.exit_status == 2 and "is made of agents" in found.error
    one = command("transfer", *words, "--hyperparams", "ensemble.members=1")
    assert one.exit_status == 2 and "from 2 to 16, got 1" in one.error
