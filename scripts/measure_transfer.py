"""Measures zero-shot transfer on named pairs, by the functions a user would call.

    python scripts/measure_transfer.py --suite classic contacts -f runs/measured

Prints a Markdown table of pairs of `rltransfer_envs.pairs`. A source is trained by
`train_source`, unless it, or an agent from elsewhere, is in the log folder already.
Then each seed is one `transfer`, the seed being both the scramble's and the run's;
without `--seeds`, five are drawn once for a log folder. Each finished transfer is a
line of `measured.jsonl` there and is not run again by the same version.
"""

import argparse
import json
import sys
from collections.abc import Callable
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any, final

import numpy as np

from rltransfer import __version__, evaluate, train_source, transfer
from rltransfer.errors import UserError
from rltransfer.evaluation import difference_interval, summarise
from rltransfer.io.atomic_files import make_folder, write_after
from rltransfer.workflows.progress_bars import progress_bars
from rltransfer_envs.pairs import PAIRS, SUITES, Agent, Goal, Pair

Run = dict[str, Any]
"""What `transfer --json` prints."""
Transferred = Callable[[Pair, int], Run]
"""Runs the transfer of a pair, by a seed."""

DRAWN = range(200, 4_001)
"""Seeds below are for tuning."""
SEEDS, EPISODES, SURE_EPISODES = 5, 20, 100
COLUMNS = (
    "| pair | budget | used | goal | reached | median | 95 % interval | each seed | "
    "random | home | share of home | harm | accepted | seconds |\n" + "|---" * 14 + "|"
)


@final
class Measured:
    """Finished transfers and drawn seeds, a line of JSON each, in one file.

    Args:
        folder: where the file is.
        fresh: whether to measure all anew; what was measured stays in the file.
    """

    def __init__(self, folder: Path, fresh: bool) -> None:
        self.path = make_folder(folder) / "measured.jsonl"
        data = self.path.read_bytes() if self.path.exists() else b""
        # What was being written when the machine failed is no line yet.
        self._end = data.rfind(b"\n") + 1
        self._runs: dict[tuple[Any, ...], Run] = {}
        self._seeds: list[int] | None = None
        for line in [] if fresh else data[: self._end].splitlines():
            entry = json.loads(line)
            if "drawn" in entry:
                self._seeds = entry["drawn"]
            else:
                self._runs[tuple(entry["key"])] = entry["run"]

    def seeds(self) -> list[int]:
        """Returns the seeds that are drawn for this folder."""
        if self._seeds is None:
            drawn = np.random.default_rng().choice(DRAWN, SEEDS, replace=False)
            self._seeds = sorted(drawn.tolist())
            self._append({"drawn": self._seeds})
        return self._seeds

    def run(self, pair: Pair, seed: int, transferred: Transferred) -> Run:
        """Returns a finished transfer, which is run and kept unless it was before."""
        key = (pair.name, seed, pair.budget, __version__)
        if key not in self._runs:
            self._runs[key] = transferred(pair, seed)
            self._append({"key": key, "run": self._runs[key]})
        return self._runs[key]

    def _append(self, entry: Run) -> None:
        line = json.dumps(entry).encode() + b"\n"
        write_after(self.path, self._end, line)
        self._end += len(line)


def folder_of(agent: Agent, folder: Path) -> Path:
    """Returns the run folder of an agent, training it where it is missing."""
    run = folder / agent.algorithm / f"{agent.env_id.replace('/', '-')}_1"
    if not run.exists():
        train_source(
            agent.env_id,
            agent.algorithm,
            agent.steps,
            env_kwargs=agent.env_kwargs,
            hyperparams=agent.hyperparams,
            log_folder=folder,
        )
    return run


def transferred(pair: Pair, seed: int, folder: Path, **options: Any) -> Run:
    """Returns what came of one transfer, and of an agent that needs no mapping."""
    kwargs = pair.target_options(seed)
    run = transfer(
        folder_of(pair.source, folder),
        pair.target,
        steps=pair.budget,
        source_env=pair.source.env_id,
        target_kwargs=kwargs,
        seed=seed,
        # Whether an unrelated source is worth something takes more to tell.
        episodes=SURE_EPISODES if pair.refusal == "right" else EPISODES,
        log_folder=folder,
        **options,
    ).as_json()
    if {"unmapped", "expert"}.intersection(goal.of for goal in pair.goals):
        # In the same episodes, so that luck with them is the same.
        run["unmapped"] = evaluate(
            folder_of(pair.unmapped, folder),
            pair.target,
            env_kwargs=kwargs,
            episodes=EPISODES,
            seed=run["report_seed"],
        ).as_json()
    return run


def figures(runs: list[Run], name: str) -> np.ndarray:
    """Returns the mean return of one figure, for each run."""
    return np.array([run[name]["mean_return"] for run in runs], np.float64)


def required(goal: Goal, runs: list[Run]) -> tuple[np.ndarray, str]:
    """Returns what each run must earn, and the goal in words."""
    if goal.of == "return":
        return np.full(len(runs), goal.threshold), str(goal)
    best = figures(runs, "source_at_home" if goal.of == "home" else "unmapped")
    start = figures(runs, "random") * (goal.of != "unmapped")
    words = f"{goal} {np.median(best):.1f}"
    return start + goal.threshold * (best - start), words


def better_by(run: Run) -> tuple[float, float]:
    """Returns the 99 % interval of how much more is earned than by random actions."""
    ours, random = run["zero_shot"]["returns"], run["random"]["returns"]
    return difference_interval(ours, random, confidence=0.99)


def verdict(pair: Pair, runs: list[Run]) -> tuple[bool, str]:
    """Returns whether all goals are reached, and the goals in words."""
    accepted = [run["accepted"] for run in runs]
    if pair.refusal == "right":
        wrong = [better_by(run)[0] <= 0 for run in runs if run["accepted"]]
        return not any(wrong), "refused"
    goals = [required(goal, runs) for goal in pair.goals]
    gaps = [figures(runs, "zero_shot") - returns for returns, _ in goals]
    done = all(accepted) and all(np.median(gap) >= 0 for gap in gaps)
    words = " and ".join(text for _, text in goals)
    if pair.refusal == "allowed":
        return done or not any(accepted), f"{words}, or refused"
    return done, words


def row(pair: Pair, runs: list[Run]) -> str:
    """Returns the pair's row of the table."""
    zero_shot, random = figures(runs, "zero_shot"), figures(runs, "random")
    home = figures(runs, "source_at_home")
    share = np.median((zero_shot - random) / (home - random))
    low, high = summarise(zero_shot, seed=0).ci95 or (np.nan, np.nan)
    below = np.minimum(zero_shot - random, 0.0)
    done, goal = verdict(pair, runs)
    accepted = f"{sum(run['accepted'] for run in runs)}/{len(runs)}"
    for run in runs if pair.refusal == "right" else []:
        if run["accepted"]:
            least, most = better_by(run)
            accepted += f"; {least:.1f} to {most:.1f} above random, seed {run['seed']}"
    cells = (
        pair.name,
        f"{pair.budget:,}",
        f"{np.median([run['target_steps'] for run in runs]):,.0f}",
        goal,
        "yes" if done else "**no**",
        f"{np.median(zero_shot):.1f}",
        f"{low:.1f} to {high:.1f}",
        " ".join(f"{value:.1f}" for value in zero_shot),
        f"{np.median(random):.1f}",
        f"{np.median(home):.1f}",
        f"{share:.2f}" if pair.same_reward else "",
        f"{(below < 0).sum()}: {below.min():.1f}" if below.any() else "0",
        accepted,
        f"{np.median([run['seconds'] for run in runs]):.0f}",
    )
    return "| " + " | ".join(cells) + " |"


def measure(
    pairs: list[Pair], seeds: list[int], measured: Measured, transferred: Transferred
) -> list[str]:
    """Measures and prints all pairs; returns the names of those that failed."""
    failed = []
    print(f"{len(seeds)} transfers per pair, of seeds {seeds}\n\n{COLUMNS}", flush=True)
    with progress_bars(sys.stderr.isatty()) as bars:
        bar = bars.add_task("transfers", total=len(pairs) * len(seeds), note="")
        for number, pair in enumerate(pairs):
            runs: list[Run] = []
            try:
                for seed in seeds:
                    bars.update(bar, note=f"{pair.name}, seed {seed}")
                    runs.append(measured.run(pair, seed, transferred))
                    bars.advance(bar)
                line = row(pair, runs)
            except UserError as fault:
                failed.append(pair.name)
                line = f"| {pair.name} | failed: {fault} |"
            bars.update(bar, completed=(number + 1) * len(seeds))
            # The bar would be drawn over the line, and must not stay before it.
            bars.live.transient = True
            bars.stop()
            print(line, flush=True)
            bars.start()
    print(f"\nMedians are over seeds. Every run: {measured.path}")
    return failed


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--suite", nargs="+", choices=SUITES, default=[])
    parser.add_argument("--pairs", nargs="+", choices=PAIRS, default=[])
    parser.add_argument("--seeds", type=int, nargs="+")
    parser.add_argument("--fresh", action="store_true", help="measure all anew")
    parser.add_argument("-f", "--log-folder", type=Path, default=Path("runs/measured"))
    options = parser.parse_args()
    names = chain(options.pairs, *(SUITES[suite] for suite in options.suite))
    pairs = [PAIRS[name] for name in dict.fromkeys(names)] or [*PAIRS.values()]
    measured = Measured(options.log_folder, options.fresh)
    run = partial(transferred, folder=options.log_folder)
    try:
        failed = measure(pairs, options.seeds or measured.seeds(), measured, run)
    except KeyboardInterrupt:
        print(f"stopped; without --fresh it goes on: {measured.path}", file=sys.stderr)
        raise SystemExit(75) from None
    raise SystemExit(2 if failed else 0)


if __name__ == "__main__":
    main()
