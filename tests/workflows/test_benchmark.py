"""Benchmarks: what is kept, what runs again, what fails alone, what is refused."""

import os
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

import rltransfer
from rltransfer.errors import ArtifactRefused, InputError, Stopped
from rltransfer.workflows.benchmark_jobs import Job, folder_of, missing_sources
from rltransfer.workflows.benchmark_result import BenchmarkResult
from rltransfer.workflows.benchmark_runs import run_job
from rltransfer.workflows.finished_jobs import FILE, FinishedJobs
from rltransfer.workflows.job_csv import read_csv
from rltransfer_agents.learning_on import require_learning_steps
from rltransfer_envs.pairs import PAIRS, Learning
from tests.effort import QUICK
from tests.worlds.fake_jobs import (
    PLAIN,
    SOURCE,
    TINY,
    die_at_two,
    fail_at_two,
    note,
    seeds_asked,
    stop_at_two,
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Holds what stands for a trained source."""
    folder_of(SOURCE, tmp_path).mkdir(parents=True)
    return tmp_path


def ran(
    folder: Path,
    seeds: list[int],
    run: Callable[[Job], dict[str, Any]] = note,
    **more: Any,
) -> BenchmarkResult:
    options = {"pairs": [TINY], "log_folder": folder, "seeds": seeds, "run": run}
    return rltransfer.benchmark(**{**options, **more})


def test_what_is_finished_is_not_run_again(folder: Path) -> None:
    first = ran(folder, [1, 2], jobs=2)
    assert seeds_asked(folder) == [1, 2]
    again = ran(folder, [2, 1, 3])
    assert seeds_asked(folder) == [3]
    assert first.zero_shot[0]["each seed"] == "1.0 2.0"
    assert again.zero_shot[0]["each seed"] == "2.0 1.0 3.0"
    assert again.markdown.read_text().count("| tiny |") == 1
    assert "tiny" in str(again)


def test_fresh_runs_anew_and_the_last_figures_count(folder: Path) -> None:
    ran(folder, [1])
    ran(folder, [1], fresh=True)
    assert seeds_asked(folder) == [1, 1]
    ran(folder, [1])
    assert seeds_asked(folder) == []


def test_another_strategy_or_effort_is_another_job(folder: Path) -> None:
    ran(folder, [1], strategies=["scratch"])
    ran(folder, [1], strategies=["scratch", "zero-shot"])
    assert seeds_asked(folder) == [1, 1]
    ran(folder, [1], strategies=["scratch"], quick=True)
    assert seeds_asked(folder) == [1]


@pytest.mark.parametrize("lost", [1, 9, 80])
def test_an_unfinished_last_line_is_ignored(folder: Path, lost: int) -> None:
    ran(folder, [1])
    ran(folder, [2])
    path, whole = folder / FILE, (folder / FILE).read_bytes()
    path.write_bytes(whole[:-lost])
    seeds_asked(folder)
    ran(folder, [1, 2])
    assert seeds_asked(folder) == [2]
    assert path.read_bytes() == whole


def test_a_damaged_file_is_refused(folder: Path) -> None:
    (folder / FILE).write_text('{"key": 3}\n')
    with pytest.raises(ArtifactRefused, match=r"line 1 of .* is not of a benchmark"):
        ran(folder, [1])


def test_jobs_fail_alone_and_run_again(folder: Path) -> None:
    found = ran(folder, [1, 2, 3, 4], fail_at_two, jobs=2)
    assert seeds_asked(folder) == [1, 4]
    assert found.failed["tiny, zero-shot, seed 2"] == "the rule; the remedy"
    unforeseen = found.failed["tiny, zero-shot, seed 3"]
    assert "unforeseen RuntimeError: no one knows" in unforeseen
    path = Path(unforeseen.rpartition("(")[2].rstrip(")"))
    assert "fail_at_two" in path.read_text()
    assert "the rule; the remedy" in str(found).replace("\n", " ")
    assert found.as_json()["failed"] == dict(found.failed)
    assert not ran(folder, [1, 2, 3, 4]).failed
    assert seeds_asked(folder) == [2, 3]


def test_the_page_counts_pairs_of_which_every_job_failed(folder: Path) -> None:
    page = ran(folder, [2], fail_at_two, pairs=[TINY, PLAIN]).report
    assert page is not None
    said = page.read_text()
    assert "Benchmark of 2 pairs" in said
    assert "2 jobs failed; nothing below counts them." in said


def test_a_killed_job_runs_again(folder: Path) -> None:
    found = ran(folder, [1, 2], die_at_two)
    assert "died with exit code -9" in found.failed["tiny, zero-shot, seed 2"]
    seeds_asked(folder)
    assert not ran(folder, [1, 2]).failed
    assert seeds_asked(folder) == [2]


def test_stopping_keeps_what_is_finished(folder: Path) -> None:
    (folder / "pid").write_text(str(os.getpid()))
    with pytest.raises(Stopped, match="go on with the same command") as stopped:
        ran(folder, [1, 2, 3], stop_at_two)
    assert stopped.value.exit_status == 75
    assert seeds_asked(folder) == [1]
    ran(folder, [1, 2, 3])
    assert seeds_asked(folder) == [2, 3]


def test_seeds_are_drawn_once_from_those_never_tuned_on(tmp_path: Path) -> None:
    seeds = FinishedJobs(tmp_path).seeds(5)
    assert len(set(seeds)) == 5
    assert all(200 <= seed <= 4_000 for seed in seeds)
    assert FinishedJobs(tmp_path).seeds(3) == seeds[:3]
    more = FinishedJobs(tmp_path).seeds(7)
    assert more[:5] == seeds
    assert len(set(more)) == 7
    assert FinishedJobs(tmp_path, fresh=True).seeds(5) != seeds


def test_what_is_asked_wrongly_is_refused_before_any_work(tmp_path: Path) -> None:
    for options, reason in (
        ({"suite": "slow"}, r"--suite takes classic, .* got 'slow'"),
        ({"pairs": ["cart"]}, r"--pairs takes .* got 'cart'"),
        ({}, "needs pairs, got none"),
        ({"suite": "fast", "strategies": "magic"}, "--strategies takes .* 'magic'"),
        ({"suite": "fast", "strategies": []}, "--strategies takes"),
        ({"suite": "fast", "jobs": 0}, "--jobs is at least 1, got 0"),
        ({"suite": "fast", "seeds": 0}, "--seeds is at least 1, got 0"),
        ({"suite": "fast", "seeds": [-1]}, "--seed must be from 0"),
        ({"pairs": [PLAIN], "strategies": "scratch"}, "scratch needs pairs .* plain"),
    ):
        with pytest.raises(InputError, match=reason):
            rltransfer.benchmark(**options, log_folder=tmp_path / "logs")
    assert not (tmp_path / "logs").exists()


def test_each_missing_agent_is_trained_once(tmp_path: Path) -> None:
    strategies = ("zero-shot", "random-source", "shuffled-map", "scratch")
    jobs = [Job(TINY, name, seed, tmp_path) for name in strategies for seed in (1, 2)]
    missing = [agent for agent, _ in missing_sources(jobs)]
    assert [agent.kind for agent in missing] == ["", "random"]
    assert missing[1].hyperparams["n_steps"] == 32
    assert not missing_sources(job for job in jobs if job.strategy == "scratch")


def test_jobs_whose_agent_cannot_be_trained_are_listed(tmp_path: Path) -> None:
    broken = {**TINY.source.hyperparams, "n_steps": -1}
    pair = replace(TINY, source=replace(SOURCE, hyperparams=broken))
    found = ran(tmp_path, [1], pairs=[pair])
    assert "could not be trained" in found.failed["tiny, zero-shot, seed 1"]


def test_a_benchmark_of_a_small_pair(tmp_path: Path) -> None:
    strategies, run = ["zero-shot", "scratch"], partial(run_job, hyperparams=QUICK)
    found = ran(tmp_path, [1], run, strategies=strategies, quick=True)
    assert not found.failed
    (record,) = found.records["tiny", "zero-shot"]
    assert record["target"] == "rltransfer/CartPole-v0 (force=9.0)"
    assert record["unmapped"]["seed"] == record["report_seed"]
    (learned,) = found.records["tiny", "scratch"]
    points = learned["curve"]
    assert points[0] == {"target_steps": 0, "mean_return": 10.0, "arm": "random"}
    assert [point["target_steps"] for point in points] == sorted(
        {point["target_steps"] for point in points}
    )
    assert points[-1]["target_steps"] >= 400
    assert found.pictures[0].read_bytes().startswith(b"\x89PNG")
    assert not list((tmp_path / "jobs").glob("tiny-scratch*"))
    config = folder_of(SOURCE, tmp_path) / "CartPole-v1" / "config.yml"
    assert "32" in config.read_text()
    assert np.isfinite(found.learning[0].areas).all()


def test_a_benchmark_learns_on(tmp_path: Path) -> None:
    short = {"force": 9.0, "max_episode_steps": 20}
    known = Learning(SOURCE, None, 256, 400, 19.0, 15.0, 20.0, 1.0, "made up")
    pair = replace(TINY, target_kwargs=short, learning=known)
    run = partial(run_job, hyperparams=QUICK)
    strategies = ["hold", "shuffled-map"]
    found = ran(tmp_path, [1], run, pairs=[pair], strategies=strategies, quick=True)
    assert not found.failed
    (record,) = found.records["tiny", "hold"]
    # Alignment has the pair's budget, and ten episodes are left to learn from.
    assert record["alignment_budget"] == 400
    assert 590 < record["target_steps"] <= record["budget"] == 600
    assert record["threshold"] == 19.0 and record["strategy"] == "hold"
    assert record["improved"]["episodes"] == 100
    first, *_ = record["curve"]
    assert record["alignment_steps"] <= first["target_steps"] < 600
    assert "random" not in {point["arm"] for point in record["curve"]}
    assert [one.strategy for one in found.learning] == strategies
    assert all(np.isfinite(one.areas).all() for one in found.learning)


def test_however_quick_enough_is_left_to_learn_from(tmp_path: Path) -> None:
    for name in ("pendulum-scrambled", "mountaincar-continuous", "cartpole-inverted"):
        job = Job(PAIRS[name], "hold", 1, tmp_path, quick=True)
        limit = gym.spec(job.pair.target).max_episode_steps
        require_learning_steps(job.budget - job.alignment_steps, limit)
        assert job.budget < replace(job, quick=False).budget


def test_learning_from_scratch_is_shared_by_pairs_of_one_target(folder: Path) -> None:
    pairs = [TINY, replace(TINY, name="twin", target_of="tiny")]
    found = ran(folder, [1], pairs=pairs, strategies=["scratch", "zero-shot"])
    assert seeds_asked(folder) == [1, 1, 1]
    assert {one.pair for one in found.learning} == {"tiny", "twin"}
    assert found.csv.read_text().count(",scratch,") == 1


def test_another_run_goes_on_from_the_csv_of_one(folder: Path, tmp_path: Path) -> None:
    strategies = ["scratch", "zero-shot"]
    first = ran(folder, [1, 2], strategies=strategies)
    other = tmp_path / "other"
    folder_of(SOURCE, other).mkdir(parents=True)
    again = ran(other, [1, 2, 3], strategies=strategies, known=first.csv)
    # What learned is known; zero-shot jobs are not in the file.
    assert seeds_asked(other) == [1, 2, 3, 3]
    (before, after) = (one.learning[0] for one in (first, again))
    assert before.row()["area"] == after.row()["area"]
    assert list(after.curves) == [1, 2, 3]
    assert after.arms[1] == before.arms[1]
    assert first.csv.read_text().count(",scratch,") == 2


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "first line"),
        ("pair,strategy\n", "first line"),
        ("{header}tiny,scratch,x,400,768,False,1,1,,,0 1,0 1,a*2\n", "invalid literal"),
        ("{header}tiny,scratch,1,400,768,no,1,1,,,0 1,0 1,a*2\n", "True or False"),
        ("{header}tiny,scratch,1,400,768,False,1,1,,,0 1,0,a*2\n", "shorter"),
        ("{header}tiny,scratch,1,400,768,False,1,1,,,0 1,0 1,a*9\n", "longer"),
        ("{header}tiny,scratch,1,400,768,False,1,1,,,0 1,0 1,a\n", "invalid literal"),
        ("{header}tiny\n", "shorter"),
    ],
)
def test_a_file_of_something_else_is_refused(
    folder: Path, text: str, reason: str
) -> None:
    header = "pair,strategy,seed,alignment,budget,quick,version,seconds,"
    header += "zero_shot,improved,steps,returns,arms\n"
    path = folder / "known.csv"
    path.write_text(text.replace("{header}", header))
    with pytest.raises(ArtifactRefused, match=reason):
        ran(folder, [1], known=path)
    with pytest.raises(InputError, match="--known takes a file"):
        ran(folder, [1], known=folder / "none.csv")


def test_the_jobs_that_are_kept_in_the_repository_are_still_those_of_the_table() -> (
    None
):
    kept = read_csv(Path(__file__).parents[2] / "docs/benchmark/learning.csv")
    assert kept
    for pair, strategy, seed, *rest in kept:
        key = Job(PAIRS[pair], strategy, seed, Path(), bool(rest[2])).key
        assert key in kept, f"{pair}, {strategy}: measure it anew, or remove its rows"
