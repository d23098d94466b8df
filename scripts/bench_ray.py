"""What many jobs of a benchmark cost: on disk, in memory, and to hand out.

Jobs that do nothing are handed to a Ray of this machine and to processes, so that what
is left is the cost of handing out. Finished jobs are kept and read again with a record
of a real run, whose figures do not matter here; they are spread over all pairs.
"""

import argparse
import json
import resource
import tempfile
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from rltransfer.resume.stop_signals import StopSignals
from rltransfer.workflows.benchmark_jobs import Job
from rltransfer.workflows.benchmark_result import result_of
from rltransfer.workflows.finished_jobs import FinishedJobs
from rltransfer.workflows.job_pool import Pool, ProcessPool
from rltransfer.workflows.ray_pool import LOCAL, ray_pool
from rltransfer_envs.pairs import PAIRS

_WORKERS = 2
_KEPT_ONE_BY_ONE = 1_000
"""At most; each costs the same, as it is written through to the disk."""
_PROCESS_JOBS = 20
"""Handed to processes, each of which starts anew."""


def main() -> None:
    """Prints one table about storage and one about handing out."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("log", type=Path, help="benchmark.jsonl of a real run")
    parser.add_argument("--jobs", type=int, nargs="+", default=[10, 1_000, 100_000])
    parser.add_argument(
        "--scheduled", type=int, nargs="+", default=[10, 1_000, 10_000], help="on Ray"
    )
    chosen = parser.parse_args()
    record = _real(chosen.log)
    with tempfile.TemporaryDirectory() as folder:
        print("| jobs | file, MB | keep, ms a job | read, s | tables, s | peak, MB |")
        print("|---|---|---|---|---|---|")
        for jobs in sorted(chosen.jobs):
            print(_stored(Path(folder) / str(jobs), record, jobs), flush=True)
        print("\n| by | jobs | ms a job |\n|---|---|---|")
        took = _handed_out(ProcessPool(_WORKERS), record, _PROCESS_JOBS)
        print(f"| processes | {_PROCESS_JOBS} | {took:.1f} |", flush=True)
        rows = []
        with ray_pool(LOCAL, _WORKERS, Path(folder)) as pool:
            _handed_out(pool, record, _WORKERS)  # until its workers are there
            for jobs in sorted(chosen.scheduled):
                took = _handed_out(pool, record, jobs)
                rows.append(f"| Ray | {jobs:,} | {took:.2f} |")
        # What is printed beside a Ray goes to standard error.
        print(*rows, sep="\n")


def _real(log: Path) -> dict[str, Any]:
    """Returns the record of the first zero-shot job."""
    for line in log.read_text().splitlines():
        entry = json.loads(line)
        if entry.get("key", ["", ""])[1] == "zero-shot":
            record: dict[str, Any] = entry["record"]
            # Of some pairs it is asked for.
            return {"unmapped": record["zero_shot"], **record}
    raise SystemExit(f"a log of zero-shot jobs is needed, {log} has none")


def _stored(folder: Path, record: dict[str, Any], count: int) -> str:
    folder.mkdir()
    pairs = list(PAIRS.values())
    jobs = [
        Job(pairs[number % len(pairs)], "zero-shot", number // len(pairs), folder)
        for number in range(count)
    ]
    one_by_one = jobs[:_KEPT_ONE_BY_ONE]
    began = time.monotonic()
    finished = FinishedJobs(folder)
    for job in one_by_one:
        finished.add(job, record)
    kept = time.monotonic()
    with finished.path.open("a") as file:
        for job in jobs[_KEPT_ONE_BY_ONE:]:
            print(json.dumps({"key": job.key, "record": record}), file=file)
    written = time.monotonic()
    finished = FinishedJobs(folder)
    read = time.monotonic()
    result_of(jobs, finished, {}, folder, "rltransfer benchmark")
    ended = time.monotonic()
    size = finished.path.stat().st_size / 1e6
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    return (
        f"| {count:,} | {size:.2f} | {1e3 * (kept - began) / len(one_by_one):.2f} | "
        f"{read - written:.2f} | {ended - read:.1f} | {peak:,.0f} |"
    )


def _nothing(record: dict[str, Any]) -> dict[str, Any]:
    return record


def _handed_out(pool: Pool, record: dict[str, Any], count: int) -> float:
    """Returns milliseconds for each of so many jobs that do nothing."""
    work: Sequence[Any] = [
        (f"job {n}", partial(_nothing, record)) for n in range(count)
    ]
    began = time.monotonic()
    with StopSignals(patience=1) as stop:
        outcomes = list(pool.outcomes(work, stop))
    assert len(outcomes) == count
    assert all(outcome.fault is None for outcome in outcomes)
    return 1e3 * (time.monotonic() - began) / count


if __name__ == "__main__":
    main()
