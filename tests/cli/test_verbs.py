"""Each verb once from the words typed to the numbers printed, with little effort."""

import errno
import html
import os
from pathlib import Path
from typing import Any

import pytest
from matplotlib.backends.backend_svg import FigureCanvasSVG

from rltransfer.io import changed_files, read_json, read_manifest
from rltransfer.workflows.demo import demo

from .conftest import QUICK, REPORTED, Command

FIGURES = {"mean_return", "iqm", "ci95", "episodes"}
TARGET = (
    *("--target", "rltransfer/Scrambled-v0"),
    *("--target-kwargs", "base=CartPole-v1", "seed=100"),
)
PNG = b"\x89PNG\r\n"


def test_train_source_prints_what_the_design_says(
    command: Command, tmp_path: Path
) -> None:
    words = ("train-source", "--env", "CartPole-v1", "-n", 128, "--seed", 3)
    call = command(*words, "--algo", "a2c", "-f", tmp_path, "--json")
    assert call.exit_status == 0
    (run,) = call.json["runs"]
    assert {"env", "algo", "run", "steps", "mean_return", "seconds"} <= set(run)
    assert (run["env"], run["algo"]) == ("CartPole-v1", "a2c")
    assert run["steps"] >= 128
    assert (Path(run["run"]) / "CartPole-v1.zip").is_file()


def test_train_source_prints_a_table_and_the_run(
    command: Command, tmp_path: Path
) -> None:
    words = ("train-source", "--env", "CartPole-v1", "-n", 64, "--algo", "a2c")
    call = command(*words, "-f", tmp_path / "r", "-P", "--hyperparams", "gamma=0.9")
    assert call.exit_status == 0
    assert "mean return" in call.output
    assert "CartPole-v1_1" in call.output.replace("\n", "")
    assert "a2c CartPole-v1" in call.errors


def test_evaluate_prints_what_the_design_says(command: Command, agent: Path) -> None:
    call = command("evaluate", agent, "--episodes", 7, "--seed", 5, "--json")
    assert call.exit_status == 0
    found = call.json
    assert FIGURES | {"env", "seed"} <= set(found)
    assert (found["env"], found["seed"], found["episodes"]) == ("CartPole-v1", 5, 7)
    low, high = found["ci95"]
    assert low <= found["mean_return"] <= high
    again = command("evaluate", agent, "--episodes", 7, "--seed", 5, "--json")
    assert again.json == found


def test_evaluate_takes_a_zip_and_another_environment_that_fits(
    command: Command, agent: Path
) -> None:
    path = agent / "CartPole-v1.zip"
    words = ("--env", "rltransfer/CartPole-v0", "--env-kwargs", "gravity=4.9")
    call = command("evaluate", path, *words, "--episodes", 2, "--json")
    assert call.exit_status == 0
    assert call.json["env"] == "rltransfer/CartPole-v0"
    assert call.json["env_kwargs"] == {"gravity": 4.9}


def test_evaluate_prints_mean_iqm_interval_episodes_and_seeds(
    command: Command, agent: Path
) -> None:
    call = command("evaluate", agent, "--seed", 5)
    for told in ("mean return", "IQM", "95 % interval", "episodes", "5 to 24"):
        assert told in call.output


def transferring(agent: Path) -> tuple[object, ...]:
    """Returns the call that transfers an agent within few steps."""
    return ("transfer", "--source", agent, *TARGET, "-n", 600, *REPORTED)


def test_transfer_prints_what_the_design_says_and_fills_a_folder(
    command: Command, agent: Path, tmp_path: Path
) -> None:
    call = command(*transferring(agent), "-f", tmp_path, "--json")
    assert call.exit_status == 0
    found = call.json
    for figure in ("random", "source_at_home", "zero_shot"):
        assert FIGURES <= set(found[figure])
        assert found[figure]["episodes"] == 20
    assert found["improved"] is None
    assert isinstance(found["accepted"], bool)
    assert found["verdict"].startswith(("accepted", "refused"))
    assert found["target_steps"] == sum(found["steps"].values()) <= 600
    assert found["reported_steps"] > 0
    folder = Path(found["run"])
    assert folder == tmp_path / "transfer" / "rltransfer-Scrambled-v0_1"
    assert (folder / "transfer.png").read_bytes().startswith(PNG)
    assert read_json(folder / "transfer.json") == found
    report = (folder / "report.html").read_text()
    assert found["report"] == str(folder / "report.html")
    assert found["verdict"].partition(": ")[2] in html.unescape(report)
    assert "data:image/gif;base64," in report
    assert "--target rltransfer/Scrambled-v0" in report
    assert "report.html" in read_manifest(folder).files
    assert list((folder / "tensorboard").iterdir())
    manifest = read_manifest(folder)
    assert manifest.verb == "transfer"
    assert changed_files(folder, manifest) == []
    again = command("evaluate", folder, "--seed", found["report_seed"], "--json").json
    assert again["env"] == "rltransfer/Scrambled-v0"
    assert again["env_kwargs"] == {"base": "CartPole-v1", "seed": 100}
    assert again["mean_return"] == found["zero_shot"]["mean_return"]


def test_without_a_report_nothing_else_changes(
    command: Command, agent: Path, tmp_path: Path
) -> None:
    words = transferring(agent)
    with_it, without = (
        command(*words, "--json", "-f", tmp_path / name, *more).json
        for name, more in (("with", ()), ("without", ("--no-report",)))
    )
    assert without["report"] is None
    assert not (Path(without["run"]) / "report.html").exists()
    own = {"run", "report", "picture", "seconds"}
    assert {k: v for k, v in with_it.items() if k not in own} == {
        k: v for k, v in without.items() if k not in own
    }


def test_a_report_that_cannot_be_drawn_costs_nothing_but_itself(
    command: Command, agent: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise MemoryError("no room for it")

    monkeypatch.setattr(FigureCanvasSVG, "print_svg", fail)
    call = command(*transferring(agent), "-f", tmp_path, "--json")
    assert call.exit_status == 0
    assert call.json["report"] is None
    told = "the report could not be drawn (MemoryError: no room for it)"
    assert told in call.json["notes"]
    folder = Path(call.json["run"])
    assert changed_files(folder, read_manifest(folder)) == []
    assert not (folder / "report.html").exists()


def test_a_disk_that_is_full_ends_the_run_where_it_goes_on(
    command: Command, agent: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace = os.replace

    def full(source: Any, path: Any, **more: Any) -> None:
        if str(path).endswith("report.html"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        replace(source, path, **more)

    monkeypatch.setattr(os, "replace", full)
    words = ("transfer", "--source", agent, *TARGET, "-n", 600, *REPORTED)
    call = command(*words, "-f", tmp_path)
    assert call.exit_status == 74
    assert "report.html: " in call.error and "transfer --resume" in call.error
    monkeypatch.undo()
    (folder,) = (tmp_path / "transfer").iterdir()
    assert not (folder / "manifest.json").exists()
    assert command("transfer", "--resume", folder).exit_status == 0
    assert "report.html" in read_manifest(folder).files


def test_several_sources_share_the_budget_and_the_table_shows_all(
    command: Command, agent: Path, tmp_path: Path
) -> None:
    sources = ("--source", agent, agent / "CartPole-v1.zip")
    words = ("transfer", *sources, *TARGET, "-n", 1001, *QUICK, "-f", tmp_path)
    call = command(*words, "-P")
    assert call.exit_status == 0
    for told in ("random", "zero-shot", "source at home", "best trial", "dropped"):
        assert told in call.output
    assert "round 1" in call.errors
    (path,) = tmp_path.glob("transfer/*/transfer.json")
    found = read_json(path)
    assert [row["path"] for row in found["sources"]] == [str(s) for s in sources[1:]]
    # Exploring is shared.
    taken = sum(row["target_steps"] for row in found["sources"])
    assert found["steps"]["exploration"] + taken == found["target_steps"] <= 1001
    assert [row["kept"] for row in found["sources"]].count(True) == 1
    (dropped,) = (row for row in found["sources"] if not row["kept"])
    assert dropped["verdict"].startswith("not tested: ") and not dropped["accepted"]
    manifest = read_manifest(path.parent)
    assert manifest.results["sources"] == found["sources"]


def test_the_demonstration_trains_and_transfers(tmp_path: Path) -> None:
    effort = {"restarts": 2, "updates": 10, "rounds": 1, "source_steps": 600}
    found = demo(
        tmp_path, training_steps=128, steps=500, hyperparams=effort, weak_source=True
    )
    assert set(found.as_json()) == {"train_source", "transfer"}
    assert found.transferred.target.env_id == "rltransfer/Scrambled-v0"
    assert found.transferred.picture is not None
    assert found.transferred.picture.is_file()
    for word in ("mean return", "zero-shot", found.transferred.verdict[:8]):
        assert word in str(found)
