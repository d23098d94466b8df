"""Exported results are what was measured, in forms that other tools read."""

import csv
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import rltransfer
from rltransfer.cli import main
from rltransfer.errors import InputError
from rltransfer.workflows.benchmark_jobs import Job, folder_of
from rltransfer.workflows.result_rows import export_rows, rows_of
from tests.worlds.fake_jobs import PLAIN, SOURCE, TINY, note, told


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Holds what stands for a trained source."""
    folder_of(SOURCE, tmp_path).mkdir(parents=True)
    return tmp_path


def ran(folder: Path, *seeds: int, **more: Any) -> Any:
    return rltransfer.benchmark(
        pairs=[TINY],
        strategies=["zero-shot", "scratch"],
        seeds=list(seeds),
        log_folder=folder,
        run=note,
        report=False,
        **more,
    )


def read_csv(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_rows_are_the_points_of_every_run(folder: Path) -> None:
    jobs = [
        (job, note(job))
        for job in (Job(TINY, "zero-shot", 60, folder), Job(TINY, "scratch", 7, folder))
    ]
    zero_shot, first, last = rows_of(jobs)
    # Random actions earn 10, the source 110 at home, and scratch comes to 110.
    assert (zero_shot.steps, zero_shot.mean_return) == (90, 60.0)
    assert (zero_shot.score, zero_shot.scale, zero_shot.last) == (0.5, "home", True)
    assert (first.steps, first.score, first.last) == (0, 0.0, False)
    assert (last.steps, last.score, last.last) == (400, 1.0, True)
    assert (last.pair, last.strategy, last.seed) == ("tiny", "scratch", 7)
    assert first.scale == last.scale == "scratch"


def test_without_a_scale_there_is_no_score(folder: Path, tmp_path: Path) -> None:
    same = told(50.0, random=110.0)
    (row,) = rows_of([(Job(PLAIN, "zero-shot", 1, folder), same)])
    assert (row.score, row.scale) == (None, "")
    for name in ("rows.csv", "rows.jsonl"):
        export_rows([row], tmp_path / name)
    assert read_csv(tmp_path / "rows.csv")[0]["score"] == ""
    assert json.loads((tmp_path / "rows.jsonl").read_text())["score"] is None


def test_both_files_hold_the_same_and_one_pivot_gives_scores(folder: Path) -> None:
    files = [folder / "rows.csv", folder / "rows.jsonl"]
    found = ran(folder, 30, 60, export=files)
    assert found.as_json()["exported"] == [str(path) for path in files]
    lines = [json.loads(line) for line in files[1].read_text().splitlines()]
    for row, line in zip(read_csv(files[0]), lines, strict=True):
        assert row == {
            name: "" if value is None else str(value) for name, value in line.items()
        }
    # A row for each seed, a column for each pair: what rliable takes.
    scores = {
        name: np.array(
            [[line["score"]] for line in lines if line["strategy"] == name]
            if name == "zero-shot"
            else [
                [line["score"]]
                for line in lines
                if line["strategy"] == name and line["last"]
            ]
        )
        for name in ("zero-shot", "scratch")
    }
    np.testing.assert_allclose(scores["zero-shot"], [[0.2], [0.5]])
    np.testing.assert_allclose(scores["scratch"], [[1.0], [1.0]])
    # Again, over its own files; nothing is run for it.
    (folder / "asked").unlink()
    ran(folder, 30, 60, export=files)
    assert not (folder / "asked").exists()


def test_tensorboard_reads_a_curve_of_every_run(folder: Path) -> None:
    for _ in range(2):  # the second time in the place of the first
        ran(folder, 30, 60, tensorboard_log=folder / "events")
    runs = sorted((folder / "events").glob("*/*/*"))
    assert [str(run.relative_to(folder / "events")) for run in runs] == [
        f"tiny/{strategy}/seed_{seed}"
        for strategy in ("scratch", "zero-shot")
        for seed in (30, 60)
    ]
    assert all(len(list(run.iterdir())) == 1 for run in runs)
    events = EventAccumulator(str(runs[0])).Reload()
    found = [(one.step, one.value) for one in events.Scalars("eval/mean_reward")]
    assert found == [(0, 10.0), (400, 110.0)]
    assert [one.value for one in events.Scalars("transfer/score")] == [0.0, 1.0]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("rows.xlsx", r"takes files that end in \.csv or \.jsonl, got .*rename it"),
        ("none/rows.csv", "takes a file in a folder that is there"),
        ("notes.csv", "never writes over what it did not write"),
        ("notes.jsonl", "never writes over what it did not write"),
        ("list.jsonl", "never writes over what it did not write"),
    ],
)
def test_a_file_that_cannot_be_written_is_told_before_any_job(
    folder: Path, name: str, said: str
) -> None:
    (folder / "notes.csv").write_text("a,b\n1,2\n")
    (folder / "notes.jsonl").write_text('{"mine": 1}\n')
    (folder / "list.jsonl").write_text("1\n")
    before = sorted(os.listdir(folder))
    with pytest.raises(InputError, match=said):
        ran(folder, 30, export=[folder / name])
    assert sorted(os.listdir(folder)) == before


def test_the_command_line_says_it_in_one_line(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    words = ["benchmark", "--suite", "fast", "-f", str(folder)]
    with pytest.raises(SystemExit) as ended:
        main([*words, "--export", str(folder / "a.csv"), str(folder / "b.txt")])
    assert ended.value.code == 2
    line = capfd.readouterr().err
    assert "b.txt; rename it" in line and line.count("\n") == 1
