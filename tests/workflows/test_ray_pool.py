"""Benchmarks and trainings on a Ray of two workers: equal figures, nothing twice."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import ray

import rltransfer
from rltransfer.errors import InputError, Stopped
from rltransfer.workflows.benchmark_jobs import folder_of
from rltransfer.workflows.benchmark_result import BenchmarkResult
from rltransfer.workflows.benchmark_runs import run_job
from rltransfer.workflows.ray_pool import in_worker
from rltransfer_agents.loading import LoadedPolicy
from tests.effort import QUICK
from tests.worlds.fake_jobs import (
    SOURCE,
    TINY,
    die_at_two,
    fail_at_two,
    lost_once,
    note,
    seeds_asked,
    stop_at_two,
)

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module", autouse=True)
def cluster() -> Iterator[str]:
    """A Ray of two workers, stopped at the end; returns its address."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    context = ray.init(
        address="local",
        num_cpus=2,
        # Loopback, as 127.0.0.1 would be taken for the machine's own address.
        _node_ip_address="127.0.0.2",
        object_store_memory=100 * 2**20,
        include_dashboard=False,
        log_to_driver=False,
        configure_logging=False,
    )
    yield context.address_info["gcs_address"]
    ray.shutdown()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Holds what stands for a trained source."""
    folder_of(SOURCE, tmp_path).mkdir(parents=True)
    return tmp_path


def ran(
    folder: Path,
    seeds: list[int],
    run: Callable[..., dict[str, Any]] = note,
    **more: Any,
) -> BenchmarkResult:
    return rltransfer.benchmark(
        pairs=[TINY], log_folder=folder, seeds=seeds, run=run, ray="local", **more
    )


def figures(found: BenchmarkResult) -> dict[Any, Any]:
    """All that jobs left but places and times, which an agent's file holds too."""
    others = ("seconds", "run", "picture", "report", "sha256")

    def cleaned(value: Any) -> Any:
        if isinstance(value, dict):
            return {k: cleaned(v) for k, v in value.items() if k not in others}
        return [cleaned(v) for v in value] if isinstance(value, list) else value

    return {key: cleaned(list(runs)) for key, runs in found.records.items()}


def test_figures_are_those_of_processes(tmp_path: Path) -> None:
    run = partial(run_job, hyperparams=QUICK)
    options = {"strategies": ["zero-shot", "scratch"], "quick": True, "jobs": 2}
    here, there = tmp_path / "here", tmp_path / "there"
    local = rltransfer.benchmark(
        pairs=[TINY], log_folder=here, seeds=[1], run=run, **options
    )
    apart = ran(there, [1], run, **options)
    assert not local.failed and not apart.failed
    told = str(figures(local)).replace(str(here), str(there))
    assert told == str(figures(apart))
    zips = [folder_of(SOURCE, one) / "CartPole-v1.zip" for one in (here, there)]
    sources = [rltransfer.load_agent(path) for path in zips]
    assert weights(sources[0]) == weights(sources[1])


def weights(agent: LoadedPolicy) -> list[Any]:
    return [
        agent.policy.predict([x, 0.1, -0.1, 0.2], deterministic=True) for x in (0, 1)
    ]


def test_work_of_a_lost_worker_is_done_again_and_nothing_else(folder: Path) -> None:
    found = ran(folder, [1, 2, 3, 4], lost_once)
    assert not found.failed
    assert seeds_asked(folder) == [1, 2, 3, 4]
    ran(folder, [1, 2, 3, 4, 5])
    assert seeds_asked(folder) == [5]


def test_work_that_fails_or_kills_every_worker_fails_alone(folder: Path) -> None:
    found = ran(folder, [1, 2, 3], fail_at_two)
    assert found.failed["tiny, zero-shot, seed 2"] == "the rule; the remedy"
    assert "no one knows" in found.failed["tiny, zero-shot, seed 3"]
    found = ran(folder, [1, 2], die_at_two)
    assert "lost by Ray: WorkerCrashedError" in found.failed["tiny, zero-shot, seed 2"]
    assert seeds_asked(folder) == [1]


def test_stopping_keeps_what_is_finished(folder: Path) -> None:
    (folder / "pid").write_text(str(os.getpid()))
    with pytest.raises(Stopped, match="go on with the same command") as stopped:
        ran(folder, [1, 2, 3], stop_at_two, jobs=1)
    assert stopped.value.exit_status == 75
    assert seeds_asked(folder) == [1]
    ran(folder, [1, 2, 3])
    assert seeds_asked(folder) == [2, 3]


def test_a_cluster_is_found_by_its_address(cluster: str, folder: Path) -> None:
    code = (
        "import sys, rltransfer; from pathlib import Path; "
        "from tests.worlds.fake_jobs import TINY, note; "
        "print(rltransfer.benchmark(pairs=[TINY], seeds=[3, 4], run=note, "
        "ray=sys.argv[1], log_folder=sys.argv[2]).failed)"
    )
    words = [sys.executable, "-c", code, cluster, str(folder)]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout == "{}\n", done.stderr
    assert seeds_asked(folder) == [3, 4]


def test_a_log_folder_that_is_not_on_a_machine_is_named(tmp_path: Path) -> None:
    _, fault, _ = in_worker(dict, tmp_path, tmp_path / "elsewhere")
    assert fault is not None and "share the log folder" in fault


def trained(folder: Path, **more: Any) -> Any:
    return rltransfer.train_source(
        ["CartPole-v1", "Acrobot-v1"],
        "ppo",
        64,
        seeds=2,
        seed=3,
        hyperparams={"n_envs": 1, "n_steps": 32, "batch_size": 16, "n_epochs": 1},
        log_folder=folder,
        **more,
    )


def test_trainings_are_those_of_processes_and_are_not_repeated(tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    local, apart = trained(here), trained(there, ray="local")
    for one, other in zip(local.runs, apart.runs, strict=True):
        assert (one.env_id, one.seed) == (other.env_id, other.seed)
        assert one.mean_return == other.mean_return
    assert [run.seed for run in apart.runs] == [3, 4, 3, 4]
    again = trained(there, ray="local")
    assert [run.folder for run in again.runs] == [run.folder for run in apart.runs]
    assert len(list(there.glob("ppo/*"))) == 4


def test_a_training_on_ray_has_no_other_device(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--ray trains on CPUs"):
        trained(tmp_path / "none", ray="local", device="cuda")
    assert not (tmp_path / "none").exists()
    with pytest.raises(InputError, match="sac cannot act in CartPole-v1"):
        rltransfer.train_source(
            "CartPole-v1", "sac", 64, log_folder=tmp_path, ray="local"
        )
