"""`rltransfer benchmark` from the words typed to what is printed."""

from pathlib import Path

import pytest

from rltransfer.workflows.benchmark_jobs import Job
from rltransfer.workflows.finished_jobs import FinishedJobs
from rltransfer_envs.pairs import PAIRS
from tests.worlds.fake_jobs import told

from .conftest import Command


def test_finished_jobs_are_printed_again(command: Command, tmp_path: Path) -> None:
    pair, finished = PAIRS["cartpole-scrambled"], FinishedJobs(tmp_path)
    for seed, earned in ((7, 499.0), (9, 501.0)):
        finished.add(Job(pair, "zero-shot", seed, tmp_path), told(earned))
    words = ("benchmark", "--pairs", pair.name, "--only-seeds", 7, 9, "-f", tmp_path)
    found = command(*words, "--json")
    assert found.exit_status == 0, found.errors
    (row,) = found.json["zero_shot"]
    assert row["each seed"] == "499.0 501.0"
    assert row["reached"] == "yes"
    assert found.json["seeds"] == [7, 9]
    assert "| 499.0 501.0 |" in (tmp_path / "benchmark.md").read_text()
    page = (tmp_path / "report.html").read_text()
    assert found.json["report"] == str(tmp_path / "report.html")
    assert "1 of 1 pairs reached their goals" in page and "499.0 501.0" in page
    assert "benchmark --pairs cartpole-scrambled" in page
    # Nor does the one of the last run stay.
    assert command(*words, "--json", "--no-report").json["report"] is None
    assert not (tmp_path / "report.html").exists()
    table = command(*words)
    assert "Zero-shot" in table.output
    assert "share" in table.output


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("--suite", "slow"), "--suite takes"),
        (("--suite", "fast", "--strategies", "zero-shot", "magic"), "got 'magic'"),
        (("--suite", "fast", "--seeds", "0"), "--seeds is at least 1"),
        (("--suite", "fast", "--jobs", "0"), "--jobs is at least 1"),
        (("--suite", "fast", "--only-seeds", "x"), "--only-seeds takes whole numbers"),
        (
            ("--suite", "classic", "--ray", "nowhere"),
            "address of a running Ray cluster",
        ),
        ((), "name --suite or --pairs"),
    ],
)
def test_wrong_words_are_refused_in_one_line(
    command: Command, tmp_path: Path, words: tuple[str, ...], reason: str
) -> None:
    found = command("benchmark", *words, "-f", tmp_path / "logs")
    assert found.exit_status == 2
    assert reason in found.error
    assert not (tmp_path / "logs").exists()
