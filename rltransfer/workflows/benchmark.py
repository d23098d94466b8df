"""The function `rltransfer.benchmark`: pairs, strategies and seeds in, figures out."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from itertools import chain
from pathlib import Path

from rich.progress import Progress, TaskID

from rltransfer.argument_checks import require_at_least, require_seed
from rltransfer.errors import InputError, Stopped
from rltransfer.io import locked, make_folder, require_writable, write_atomically
from rltransfer.resume.stop_signals import StopSignals
from rltransfer.workflows.benchmark_jobs import (
    STRATEGIES,
    Job,
    Strategy,
    folder_of,
    known_strategies,
    missing_sources,
    train_agent,
)
from rltransfer.workflows.benchmark_result import BenchmarkResult, result_of
from rltransfer.workflows.benchmark_runs import Record, run_job
from rltransfer.workflows.finished_jobs import FinishedJobs, without_seed
from rltransfer.workflows.job_pool import Pool, ProcessPool
from rltransfer.workflows.progress_bars import progress_bars
from rltransfer.workflows.ray_pool import ray_pool
from rltransfer.workflows.result_rows import (
    export_rows,
    log_rows,
    require_exports,
    rows_of,
)
from rltransfer.workflows.typed_command import typed
from rltransfer_envs.pairs import PAIRS, SUITES, Pair

_ZERO_SHOT_SECONDS = 60.0
"""Of a transfer, until some were measured."""


def benchmark(
    suite: str | Sequence[str] = (),
    strategies: str | Sequence[str] = ("zero-shot",),
    *,
    pairs: Sequence[str | Pair] = (),
    seeds: int | Sequence[int] = 5,
    jobs: int | None = None,
    ray: str | None = None,
    quick: bool = False,
    fresh: bool = False,
    known: str | Path | None = None,
    log_folder: str | Path = "runs/benchmark",
    progress: bool = False,
    run: Callable[[Job], Record] = run_job,
    report: bool = True,
    export: Sequence[str | Path] = (),
    tensorboard_log: str | Path | None = None,
) -> BenchmarkResult:
    """Runs strategies on pairs and seeds, and compares them.

    What is finished stays in the log folder: the same call goes on where it was
    stopped. A job that fails does not end the others. Sources that are missing are
    trained first; agents from elsewhere are taken where they lie in the log folder, as
    `ALGO/ENV_1`.

    Args:
        suite: names in `rltransfer_envs.pairs.SUITES`.
        strategies: names in `known_strategies()`, such as zero-shot and scratch.
        pairs: more pairs, by name or as they are.
        seeds: which, or how many: drawn once for a log folder, none ever tuned on.
        jobs: at once, in a process each; by default one, with Ray as many as it has
            CPUs for.
        ray: `local`, or the address of a Ray cluster whose machines all see the log
            folder. Figures are those of any other machine of the kind.
        quick: a fifth of the learning steps: to see whether all works.
        fresh: run all anew; finished jobs stay in the file.
        known: `benchmark.csv` of another run, whose jobs are not run again.
        log_folder: for sources, jobs, figures and pictures.
        progress: whether to show it on standard error.
        run: runs one job; is pickled.
        report: whether `report.html` is written into the log folder.
        export: files for other tools, `.csv` or `.jsonl`: a row for each mean return
            that was measured.
        tensorboard_log: folder for the same as TensorBoard's events.

    Raises:
        InputError: a name is unknown, a number too small, or a pair has no budget of
            learning for a strategy that learns; nothing was run.
        Stopped: SIGINT or SIGTERM ended it; what was finished is kept.
    """
    ways = known_strategies()
    # Other processes know no peers: what one does travels with its jobs.
    peers = {name: way for name, way in ways.items() if name not in STRATEGIES}
    chosen = _pairs([suite] if isinstance(suite, str) else suite, pairs)
    names = [strategies] if isinstance(strategies, str) else list(strategies)
    _require_strategies(names, chosen, ways)
    if jobs is not None:
        require_at_least("--jobs", jobs, 1)
    require_at_least("--seeds", seeds if isinstance(seeds, int) else len(seeds), 1)
    for seed in () if isinstance(seeds, int) else seeds:
        require_seed(seed)
    if known is not None and not Path(known).is_file():
        raise InputError(f"--known takes a file, {known} is none; name another")
    exported = [Path(path) for path in export]
    require_exports(exported)
    logs = None if tensorboard_log is None else Path(tensorboard_log)
    folder = Path(log_folder)
    require_writable(folder)
    if logs is not None:
        require_writable(logs, "--tensorboard-log")
    # Before anything is made: an address may be wrong.
    with _pool(ray, jobs, folder) as pool, locked(make_folder(folder)):
        finished = FinishedJobs(folder, fresh, None if known is None else Path(known))
        used = finished.seeds(seeds) if isinstance(seeds, int) else list(seeds)
        asked = [
            Job(pair, name, seed, folder, quick, peers.get(name))
            for pair in chosen
            for name in names
            for seed in dict.fromkeys(used)
        ]
        failed = _run_all(asked, finished, pool, progress, run)
        command = typed(
            "benchmark",
            [
                ("--suite", [suite] if isinstance(suite, str) else suite),
                (
                    "--pairs",
                    [one if isinstance(one, str) else one.name for one in pairs],
                ),
                ("--strategies", names),
                # Those that were drawn would be others in another folder.
                ("--only-seeds", used),
                ("--jobs", jobs),
                ("--ray", ray),
                ("--quick", quick),
                ("--known", known),
                ("-f", log_folder),
            ],
        )
        if any(name in peers for name in names):
            command += "  # with the peers that were registered"
        result = result_of(asked, finished, failed, folder, command if report else None)
        rows = rows_of((job, finished[job]) for job in asked if job in finished)
        for path in exported:
            export_rows(rows, path)
        if logs is not None:
            log_rows(rows, logs)
        return replace(result, exported=exported)


@contextmanager
def _pool(ray: str | None, jobs: int | None, folder: Path) -> Iterator[Pool]:
    if ray is None:
        yield ProcessPool(jobs or 1)
        return
    with ray_pool(ray, jobs, folder) as pool:
        yield pool


def _pairs(suites: Sequence[str], pairs: Sequence[str | Pair]) -> list[Pair]:
    for option, wanted, known in (
        ("--suite", suites, SUITES),
        ("--pairs", [pair for pair in pairs if isinstance(pair, str)], PAIRS),
    ):
        for name in wanted:
            if name not in known:
                raise InputError(
                    f"{option} takes {', '.join(known)}; got {name!r}; choose one"
                )
    names = chain(*(SUITES[suite] for suite in suites), pairs)
    found = [PAIRS[pair] if isinstance(pair, str) else pair for pair in names]
    if not found:
        raise InputError(
            "a benchmark needs pairs, got none; name --suite or --pairs: "
            + ", ".join(SUITES)
        )
    return list({pair.name: pair for pair in found}.values())


def _require_strategies(
    names: Sequence[str], pairs: Sequence[Pair], known: Mapping[str, Strategy]
) -> None:
    for name in names or [""]:
        if name not in known:
            raise InputError(
                f"--strategies takes {', '.join(known)}; got {name!r}; choose some"
            )
        unknown = [pair.name for pair in pairs if pair.learning is None]
        if unknown and known[name].learner is not None:
            raise InputError(
                f"{name} needs pairs that say how long to learn, {', '.join(unknown)} "
                "do not; choose zero-shot, or another suite"
            )


def _run_all(
    asked: Sequence[Job],
    finished: FinishedJobs,
    pool: Pool,
    progress: bool,
    run: Callable[[Job], Record],
) -> dict[str, str]:
    """Runs what is not finished; returns why jobs failed, by their names."""
    # Learning from scratch is one job for all pairs of one target.
    once = {job.key: job for job in reversed(asked)}.values()
    waiting = [job for job in reversed(once) if job not in finished]
    failed: dict[str, str] = {}
    with StopSignals(patience=1) as stop, progress_bars(progress) as bars:
        bar = bars.add_task("jobs", total=len(once), note="")
        bars.advance(bar, len(once) - len(waiting))
        try:
            _train_missing(waiting, pool, bars, bar, stop)
            ready = []
            for job in waiting:
                if _is_ready(job):
                    ready.append(job)
                else:
                    failed[job.name] = "an agent that it needs could not be trained"
            if ready:
                told = _estimate(ready, finished, pool.at_once)
                bars.console.print(told, highlight=False)
            work = [(job.name, partial(job.way.run or run, job)) for job in ready]
            for outcome in pool.outcomes(work, stop):
                job = ready[outcome.place]
                if outcome.fault is None:
                    finished.add(job, outcome.result)
                else:
                    failed[job.name] = _kept(job, outcome.fault, outcome.details)
                bars.update(bar, advance=1, note=job.name)
        except Stopped as stopped:
            raise Stopped(
                f"{stopped}; finished jobs are in {finished.path}: go on with the same "
                "command, without --fresh"
            ) from None
    return failed


def _train_missing(
    jobs: Sequence[Job], pool: Pool, bars: Progress, bar: TaskID, stop: StopSignals
) -> None:
    missing = missing_sources(jobs)
    work = [
        (f"{agent.algorithm} in {agent.env_id}", partial(train_agent, agent, folder))
        for agent, folder in missing
    ]
    for outcome in pool.outcomes(work, stop):
        name = work[outcome.place][0]
        bars.update(bar, note=f"trained {name}")
        if outcome.fault is not None:
            bars.console.print(f"{name}: {outcome.fault}", highlight=False)


def _is_ready(job: Job) -> bool:
    return all(folder_of(agent, job.folder).exists() for agent in job.agents)


def _estimate(jobs: Sequence[Job], finished: FinishedJobs, at_once: int) -> str:
    """Returns how long jobs may take: by those that are finished, else by the table."""
    seconds, known = 0.0, finished.seconds_of_alike()
    for job in jobs:
        measured = known.get(without_seed(job.key))
        if measured is None:
            learning = job.pair.learning if job.way.learner else None
            measured = 0.0 if job.way.source is None else _ZERO_SHOT_SECONDS
            if learning is not None:
                measured += learning.seconds * job.budget / learning.budget
        seconds += measured
    return (
        f"{len(jobs)} jobs, {at_once} at once: about {seconds / 60 / at_once:.0f} "
        "minutes"
    )


def _kept(job: Job, fault: str, details: str) -> str:
    """Returns why a job failed; a traceback goes into a file beside its folder."""
    if not details:
        return fault
    path = job.own_folder.with_suffix(".txt")
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, details.encode())
    return f"{fault} ({path})"
