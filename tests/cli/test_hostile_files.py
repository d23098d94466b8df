"""S1, by the command line: no file runs anything, and each fault has words."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import Count

from .conftest import QUICK, Command

pytestmark = pytest.mark.torture

_TORTURE = Path(__file__).parents[1] / "agents" / "loading" / "torture"


def test_no_file_runs_anything_whatever_verb_opens_it(count: Count) -> None:
    child = subprocess.run(
        [sys.executable, "-W", "ignore", str(_TORTURE / "command_line.py")],
        capture_output=True,
        text=True,
    )
    assert child.returncode == 0, child.stderr[-2000:]
    report = json.loads(child.stdout)
    count(
        "S1",
        # Those of agents are counted where the library opens them.
        vectors=report["vectors"] - report["of agents"],
        openings=report["opens"],
        forbidden_events=len(report["events"]),
    )
    assert report["events"] == []
    faults = [told for told in report["faults"] if told[2].startswith("untyped")]
    assert faults == []
    assert report["vectors"] >= 150
    # Some files are only odd: were none of them let through, all might be refused.
    endings = report["endings"]
    verbs = ("inspect", "evaluate", "export", "export npz", "export safetensors")
    for verb in (*verbs, "transfer --resume", "train-source --resume"):
        assert endings[f"{verb}: exit 0"], verb
        assert verb == "inspect" or endings[f"{verb}: exit 76"], verb


def test_modules_are_imported_at_the_word_of_the_user_and_of_no_file(
    command: Command, agent: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "my_robots.py").write_text(
        "import gymnasium as gym\n"
        "from gymnasium.envs.classic_control import CartPoleEnv\n"
        "gym.register('My-v0', CartPoleEnv, max_episode_steps=20)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    typed = "my_robots:My-v0"
    words = ("--target", typed, "-n", 600, *QUICK, "-f", tmp_path / "runs", "--json")
    call = command("transfer", "--source", agent, *words)
    assert call.exit_status == 0, call.errors
    run = call.json["run"]
    refused = command("evaluate", run, "--episodes", 1)
    assert refused.exit_status == 76
    assert f"name no module, got '{typed}'" in refused.error
    assert "name the environment yourself, with --env" in refused.error
    again = command("evaluate", run, "--env", typed, "--episodes", 1, "--json")
    assert again.json["env"] == typed


def test_transfers_from_the_hub_and_from_transfers_act_by_what_lies_here(
    command: Command, agent: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As the hub's client keeps files: under their names, as links to their contents.
    blob, snapshot = tmp_path / "blobs" / "0123", tmp_path / "snapshots" / "4567"
    for folder in (blob.parent, snapshot):
        folder.mkdir(parents=True)
    shutil.copy(agent / "CartPole-v1.zip", blob)
    cached = snapshot / "ppo-CartPole-v1.zip"
    cached.symlink_to(blob)
    hub = pytest.importorskip("huggingface_hub", reason="the extra hub is missing")

    def download(*_: object, dry_run: bool = False, **__: object) -> object:
        return [] if dry_run else str(snapshot)

    monkeypatch.setattr(hub, "snapshot_download", download)
    source = "hf://zoo/ppo-CartPole-v1"
    # Short episodes keep it quick.
    target = ("CartPole-v1", "--target-kwargs", "max_episode_steps=20")
    words = ("--target", *target, "-n", 600, *QUICK, "-f", tmp_path, "--json")
    # From the hub, then from the transfer that this makes.
    for _ in range(2):
        call = command("transfer", "--source", source, *words)
        assert call.exit_status == 0, call.errors
        source = call.json["run"]
    again = command("evaluate", source, "--seed", call.json["report_seed"], "--json")
    assert again.json["mean_return"] == call.json["zero_shot"]["mean_return"]
    inside = Path(source) / "source"
    shutil.rmtree(inside)
    inside.symlink_to(source)
    circle = command("evaluate", source)
    assert circle.exit_status == 76
    assert "in no circle" in circle.error
