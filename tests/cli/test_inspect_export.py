"""`inspect` and `export`, on an agent and a transfer that the tests make."""

import hashlib
import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from stable_baselines3 import PPO

import rltransfer
from rltransfer.cli import main

from .conftest import QUICK, Command, call

SCRAMBLED = (
    *("--target", "rltransfer/Scrambled-v0"),
    *("--target-kwargs", "base=CartPole-v1", "seed=100"),
)
Change = Callable[[dict[str, Any]], object]


def transferred(source: Path, folder: Path, *target: str) -> Path:
    """Returns the folder of a transfer that took little effort."""
    words = ("transfer", "--source", source, *target, "-n", 600, *QUICK, "-f", folder)
    found = call(*words, "--json")
    assert found.exit_status == 0, found.errors
    return Path(found.json["run"])


@pytest.fixture(scope="module")
def agent(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("agents") / "CartPole-v1.zip"
    PPO("MlpPolicy", "CartPole-v1", n_steps=8, batch_size=8, seed=0).save(path)
    return path


@pytest.fixture(scope="module")
def transfer(agent: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return transferred(agent, tmp_path_factory.mktemp("runs"), *SCRAMBLED)


@pytest.fixture
def own(transfer: Path, tmp_path: Path) -> Path:
    """A copy of the transfer, to be changed."""
    return shutil.copytree(transfer, tmp_path / "own")


def test_inspect_tells_what_is_inside(
    agent: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    main(["inspect", str(agent), "--json"])
    told = json.loads(capfd.readouterr().out)
    assert told["usable"] and told["algorithm"] == "ppo"
    assert told["action_space"] == "Discrete(2)"
    main(["inspect", str(agent)])
    assert "64 tanh → 64 tanh" in capfd.readouterr().out


def test_inspect_suggests_an_id_for_an_old_one(
    agent: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    old = Path(shutil.copy(agent, tmp_path / "ppo-CartPole-v0.zip"))
    unknown = Path(shutil.copy(agent, tmp_path / "mine.zip"))
    for path, told in (
        (agent, "CartPole-v1"),
        (old, "CartPole-v0"),
        (unknown, "mine (not registered)"),
    ):
        main(["inspect", str(path)])
        assert told in capfd.readouterr().out
    renamed = Path(shutil.copy(agent, tmp_path / "ppo-CartPole-v9.zip"))
    main(["inspect", str(renamed)])
    shown = capfd.readouterr().out
    assert "ppo-CartPole-v9 (not registered; nearest: CartPole-v1)" in shown


@pytest.mark.parametrize("verb", ["inspect", "evaluate", "export"])
def test_a_hash_can_be_asked_for(
    verb: str, agent: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    words = {
        "inspect": [],
        "evaluate": ["--episodes", "1"],
        "export": [str(tmp_path / "policy.npz")],
    }[verb]
    digest = hashlib.sha256(agent.read_bytes()).hexdigest()
    main([verb, str(agent), *words, "--sha256", digest])
    capfd.readouterr()
    with pytest.raises(SystemExit) as ended:
        main([verb, str(agent), *words, "--sha256", "0" * 64])
    assert ended.value.code == 76
    told = capfd.readouterr().err
    assert f"must have the SHA-256 {'0' * 64}, it has {digest}; fetch the file" in told


def test_reasons_in_brackets_are_no_markup(
    agent: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "CartPole-v1"
    folder.mkdir()
    shutil.copy(agent, tmp_path)
    (folder / "args.yml").write_text("env_kwargs: {a: '[/red]'}\n")
    main(["inspect", str(tmp_path / "CartPole-v1.zip")])
    assert "[/red]" in capfd.readouterr().out


def test_inspecting_what_is_no_agent_ends_in_one_line(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    note = tmp_path / "note.txt"
    note.write_text("no agent")
    with pytest.raises(SystemExit) as ended:
        main(["inspect", str(note)])
    assert ended.value.code in (2, 76)
    assert capfd.readouterr().err.count("\n") == 1


def test_an_exported_policy_is_plain_arrays(
    agent: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    written = tmp_path / "policy.npz"
    main(["export", str(agent), str(written), "--json"])
    assert json.loads(capfd.readouterr().out)["written"] == str(written)
    with np.load(written, allow_pickle=False) as arrays:
        assert arrays.files


def test_an_unknown_ending_is_refused(
    agent: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["export", str(agent), str(tmp_path / "policy.pt")])
    assert ended.value.code == 2
    assert "must end in" in capfd.readouterr().err


def test_inspect_tells_what_a_transfer_was_made_of(
    command: Command, agent: Path, transfer: Path
) -> None:
    told = command("inspect", transfer, "--json").json
    record = json.loads((transfer / "transfer.json").read_text())
    assert (told["kind"], told["path"]) == ("transfer", str(transfer))
    assert told["source"] == str(agent)
    assert told["source_sha256"] == hashlib.sha256(agent.read_bytes()).hexdigest()
    assert told["target"] == "rltransfer/Scrambled-v0"
    assert told["target_kwargs"] == {"base": "CartPole-v1", "seed": 100}
    for name in ("accepted", "verdict", "budget", "steps", "target_steps"):
        assert told[name] == record[name]
    assert told["spaces"]["action"] == {"kind": "Discrete", "n": 2, "start": 0}
    assert "torch" in told["versions"]
    assert told["changed"] == []
    shown = command("inspect", transfer).output
    words = ("transfer", "Box(4,)", "Discrete(2)", told["mapping_sha256"])
    for word in (*words, record["verdict"].split(":")[0]):
        assert word in shown


def test_the_hash_of_a_mapping_is_that_of_its_files_and_changes_are_told(
    command: Command, own: Path
) -> None:
    names = sorted(
        path.relative_to(own).as_posix()
        for path in own.glob("mapping/*/*")
        if path.name != "manifest.json"
    )
    lines = [
        f"{hashlib.sha256((own / name).read_bytes()).hexdigest()}  {name}\n"
        for name in names
    ]
    digest = hashlib.sha256("".join(lines).encode()).hexdigest()
    assert command("inspect", own, "--json").json["mapping_sha256"] == digest
    (own / names[0]).write_text("{}")
    assert command("inspect", own, "--json").json["changed"] == names[:1]
    assert names[0] in command("inspect", own).output


def edited(run: Path, change: Change) -> None:
    path = run / "manifest.json"
    manifest = json.loads(path.read_text())
    change(manifest)
    path.write_text(json.dumps(manifest))


def test_inspect_needs_neither_the_environments_nor_the_agent(
    command: Command, own: Path
) -> None:
    def elsewhere(manifest: dict[str, Any]) -> None:
        manifest["settings"] |= {
            "source": "/no/such/agent.zip",
            "source_env": "antigravity:My-v0",
            "target": "antigravity:X-v0",
        }

    forget_source(own)
    edited(own, elsewhere)
    assert command("inspect", own, "--json").json["target"] == "antigravity:X-v0"
    assert "agent.zip (gone: put it back)" in command("inspect", own).output
    edited(own, lambda told: told["settings"].update(source="x" * 5000))
    assert command("inspect", own).exit_status == 0


def forget_source(run: Path) -> None:
    """Takes away what the transfer acts through."""
    shutil.rmtree(run / "source")
    edited(run, lambda told: told["files"].pop("source/agent.safetensors"))


def nested(depth: int) -> Any:
    value: Any = 0
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (
            lambda m: m["settings"].pop("target"),
            "settings are not of a transfer (target: ",
        ),
        (
            lambda m: m["settings"].update(source_sha256="?"),
            "(source_sha256: ",
        ),
        (lambda m: m["settings"].update(budget=-1), "(budget: Input should be greater"),
        (lambda m: m["settings"].update(target_kwargs={"a": nested(90)}), "nest 64"),
        (lambda m: m["steps"].update(acceptance=10**4000), "(acceptance: "),
        (
            lambda m: m["results"].pop("accepted"),
            "(accepted: ",
        ),
        (
            lambda m: m["results"].update(verdict=["no"]),
            "(verdict: ",
        ),
        (lambda m: m.update(files={"mapping/../../x": "0" * 64}), "lists no files in"),
        (lambda m: m["files"].update({"mapping/\ud800": "0" * 64}), "files are not of"),
        (lambda m: m["files"].update({"mapping/" + "x" * 999: ""}), "files are not of"),
        (lambda m: m["files"].update({"mapping/x": "\ud800"}), "files are not of"),
        (lambda m: m.update(format=7), "has format 7"),
        (lambda m: m.update(verb=3), "is no manifest (verb"),
    ],
)
def test_inspecting_a_hostile_manifest_ends_in_one_line(
    change: Change, told: str, command: Command, own: Path
) -> None:
    edited(own, change)
    refused = command("inspect", own)
    assert (refused.exit_status, refused.output) == (76, "")
    assert told in refused.error
    assert len(refused.error) < 500


def test_inspecting_a_torn_manifest_ends_in_one_line_unless_an_agent_lies_there(
    command: Command, agent: Path, own: Path
) -> None:
    path = own / "manifest.json"
    path.write_bytes(path.read_bytes()[:100])
    refused = command("inspect", own)
    assert refused.exit_status == 76
    assert "is not strict JSON" in refused.error
    shutil.copy(agent, own)
    assert command("inspect", own, "--json").json["algorithm"] == "ppo"


def test_what_terminals_act_upon_is_escaped_in_a_transfer(
    command: Command, own: Path
) -> None:
    edited(own, lambda told: told["results"].update(verdict="a\x1b[2Jb [/red]\nc"))
    shown = command("inspect", own).output
    assert "\x1b" not in shown
    assert "\\x1b[2Jb [/red]\\nc" in shown


def test_an_exported_transfer_acts_as_the_transfer_does(
    command: Command, transfer: Path, tmp_path: Path
) -> None:
    reference = pytest.importorskip("onnx.reference")
    written = tmp_path / "mapped.onnx"
    found = command("export", transfer, written, "--json").json
    assert found["files"] == [found["written"]] == [str(written)]
    rows = np.random.default_rng(1).normal(scale=2, size=(400, 4)).astype(np.float32)
    model = reference.ReferenceEvaluator(str(written))
    (actions,) = model.run(None, {"observation": rows})
    expected, _ = rltransfer.load_agent(transfer).predict(rows, deterministic=True)
    assert set(np.unique(expected)) == {0, 1}
    assert np.mean(actions == expected) >= 0.99


def test_the_table_of_an_exported_transfer_promises_what_was_checked(
    command: Command, transfer: Path, tmp_path: Path
) -> None:
    pytest.importorskip("onnx")
    shown = command("export", transfer, tmp_path / "mapped.onnx").output
    assert "acts as the transfer does on 98% or more" in shown


@pytest.mark.parametrize("name", ["mapped.npz", "mapped.safetensors", "mapped.pt"])
def test_a_transfer_is_written_as_onnx_only(
    name: str, command: Command, agent: Path, transfer: Path, tmp_path: Path
) -> None:
    refused = command("export", transfer, tmp_path / name)
    assert refused.exit_status == 2
    assert f"a mapped policy is written as .onnx, got {tmp_path / name}" in (
        refused.error
    )
    assert refused.error.endswith(
        f"export the source agent for .npz or a bundle: {agent}"
    )
    assert not list(tmp_path.iterdir())


def test_a_hash_asked_for_is_that_of_the_agent_behind_a_transfer(
    command: Command, agent: Path, transfer: Path, tmp_path: Path
) -> None:
    digest = hashlib.sha256(agent.read_bytes()).hexdigest()
    assert command("inspect", transfer, "--sha256", digest).exit_status == 0
    calls = [("inspect", transfer), ("export", transfer, tmp_path / "mapped.onnx")]
    for words in calls:
        refused = command(*words, "--sha256", "0" * 64)
        assert refused.exit_status == 76
        assert f"must have the SHA-256 {'0' * 64}, it has {digest}" in refused.error
    assert not list(tmp_path.iterdir())


def test_a_transfer_from_a_transfer_is_no_onnx(
    command: Command, transfer: Path, tmp_path: Path
) -> None:
    second = transferred(transfer, tmp_path, "--target", "CartPole-v1")
    refused = command("export", second, tmp_path / "mapped.onnx")
    assert refused.exit_status == 2
    assert f"was made from the transfer {transfer}; make one from" in refused.error


def test_a_transfer_whose_agent_is_gone_is_not_exported(
    command: Command, own: Path, tmp_path: Path
) -> None:
    forget_source(own)
    refused = command("export", own, tmp_path / "mapped.onnx")
    assert refused.exit_status == 2
    assert "put it back or make the transfer again" in refused.error


def test_a_transfer_is_exported_without_its_environments(
    command: Command, agent: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("onnx")
    (tmp_path / "our_robots.py").write_text(
        "import gymnasium as gym\n"
        "from gymnasium.envs.classic_control import CartPoleEnv\n"
        "gym.register('Our-v0', CartPoleEnv, max_episode_steps=20)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    run = transferred(agent, tmp_path, "--target", "our_robots:Our-v0")
    # No file imports the module, and none is needed to export.
    del gym.registry["Our-v0"]
    monkeypatch.delitem(sys.modules, "our_robots")
    assert command("export", run, tmp_path / "mapped.onnx").exit_status == 0
    assert "our_robots" not in sys.modules


@pytest.mark.parametrize("made", ["agent", "transfer"])
def test_where_nothing_can_be_written_export_says_so_before_any_work(
    made: str, command: Command, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    # A wrong hash would be found by working.
    words = ("export", request.getfixturevalue(made))
    (tmp_path / "note").write_text("no folder")
    (tmp_path / "folder.onnx").mkdir()
    for to, told in (
        ("none/mc.onnx", f"must exist, {tmp_path / 'none'} does not exist; make it"),
        ("note/mc.onnx", f"must exist, {tmp_path / 'note'} is a file; make it"),
        ("folder.onnx", f"{tmp_path / 'folder.onnx'} is a folder; name a file in it"),
    ):
        refused = command(*words, tmp_path / to, "--sha256", "0" * 64)
        assert refused.exit_status == 2
        assert told in refused.error
        assert "--" not in refused.error and "resume" not in refused.error
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written_to_is_told(
    command: Command, agent: Path, tmp_path: Path
) -> None:
    tmp_path.chmod(0o500)
    try:
        refused = command("export", agent, tmp_path / "mc.npz")
    finally:
        tmp_path.chmod(0o700)
    assert refused.exit_status == 2
    assert f"must be writable, {tmp_path} is not" in refused.error


def test_fields_that_are_not_read_are_listed_on_demand(
    command: Command, agent: Path
) -> None:
    quiet, full = command("inspect", agent), command("inspect", agent, "--verbose")
    assert "lr_schedule (pickle)" not in quiet.output
    assert "lr_schedule (pickle)" in full.output
    found = command("inspect", agent, "--json").json
    assert found["verbs"] == {
        "evaluate": "yes",
        "transfer": "yes",
        "export": ".safetensors, .npz, .onnx",
    }


def test_statistics_of_another_agent_are_refused_by_every_verb(
    command: Command, agent: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other.pkl"
    other.write_bytes(b"no pickle")
    words = ("--statistics", other)
    for verb in (("evaluate", agent), ("export", agent, tmp_path / "agent.onnx")):
        call = command(*verb, *words)
        assert call.exit_status == 76, call.error
    assert command("inspect", agent, *words, "--json").json["usable"] is False
    missing = command("evaluate", agent, "--statistics", "nothing.pkl")
    assert missing.exit_status == 2
    assert "--statistics must be a file, or none" in missing.error
