"""Measures zero-shot transfer on the named pairs, by the functions a user would call.

    python scripts/measure_transfer.py --seeds 100 101 102 103 104 -f runs/measured

For every pair of `rltransfer_envs.pairs` with a goal, the source is trained by
`train_source` unless it, or an agent from elsewhere, is in the log folder already;
then each seed is one `transfer`, the seed being both the scramble's and the run's.
Prints a Markdown table; the figures of every run go to a new `measured_N.json` in the
log folder.
"""

import argparse
import json
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np

from rltransfer import evaluate, train_source, transfer
from rltransfer.evaluation import summarise
from rltransfer_envs.pairs import PAIRS, Pair

STEPS = {
    ("ppo", "CartPole-v1"): 30_000,
    ("dqn", "Acrobot-v1"): 100_000,
    ("dqn", "MountainCar-v0"): 120_000,
    ("sac", "Pendulum-v1"): 20_000,
    ("ppo", "LunarLander-v3"): 1_000_000,
    ("ppo", "HalfCheetah-v5"): 1_000_000,
    ("ppo", "Hopper-v5"): 1_000_000,
    ("sac", "Swimmer-v5"): 1_000_000,
}
"""How long each source is trained."""


def source_of(pair: Pair, folder: Path) -> Path:
    """Returns the run folder of the pair's source, training it where it is missing."""
    run = folder / pair.algorithm / f"{pair.source}_1"
    if not run.exists():
        steps = STEPS[pair.algorithm, pair.source]
        train_source(pair.source, pair.algorithm, steps, log_folder=folder)
    return run


def transfers(pair: Pair, seeds: list[int], folder: Path) -> list[dict[str, Any]]:
    """Returns what `transfer --json` prints, for each seed."""
    source = source_of(pair, folder)
    return [
        transfer(
            source,
            pair.target,
            steps=pair.budget,
            source_env=pair.source,
            target_kwargs=pair.target_options(seed),
            seed=seed,
            log_folder=folder,
        ).as_json()
        for seed in seeds
    ]


def at_target(source: Path, pair: Pair, seed: int) -> float:
    """Returns what the source earns in the target as it is."""
    kwargs = pair.target_options(seed)
    measured = evaluate(source, pair.target, env_kwargs=kwargs, episodes=20, seed=seed)
    return measured.mean_return


def row(pair: Pair, found: list[dict[str, Any]], folder: Path) -> str:
    """Returns the pair's row of the table."""
    zero_shot = [run["zero_shot"]["mean_return"] for run in found]
    goal = "refused" if pair.threshold is None else f"≥ {pair.threshold:g}"
    if pair.goal == "share of source":
        home = at_target(source_of(pair, folder), pair, 3_000_000)
        goal = f"≥ {pair.threshold:g} of {home:.1f}"
    low, high = summarise(zero_shot, seed=0).ci95 or (np.nan, np.nan)
    accepted = sum(run["accepted"] for run in found)
    cells = [
        pair.name,
        f"{pair.budget:,}",
        f"{np.median([run['target_steps'] for run in found]):,.0f}",
        goal,
        f"{np.median(zero_shot):.1f}",
        f"{low:.1f} to {high:.1f}",
        " ".join(f"{value:.1f}" for value in zero_shot),
        f"{np.median([run['random']['mean_return'] for run in found]):.1f}",
        f"{found[0]['source_at_home']['mean_return']:.1f}",
        f"{accepted}/{len(found)}",
        f"{np.median([run['seconds'] for run in found]):.0f}",
    ]
    return "| " + " | ".join(cells) + " |"


def new_file(folder: Path) -> Path:
    """Returns the first free name for the figures; those of earlier runs are kept."""
    names = (folder / f"measured_{number}.json" for number in count(1))
    return next(name for name in names if not name.exists())


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[*range(100, 105)])
    parser.add_argument("--pairs", nargs="+", choices=PAIRS, default=[*PAIRS])
    parser.add_argument("-f", "--log-folder", type=Path, default=Path("runs/measured"))
    options = parser.parse_args()
    print(f"{len(options.seeds)} transfers per pair, of seeds {options.seeds}")
    print(
        "| pair | budget | used | goal | median | 95 % interval | each seed | random | "
        "source | accepted | seconds |\n" + "|---" * 11 + "|",
        flush=True,
    )
    measured = {}
    for pair in (PAIRS[name] for name in options.pairs):
        if (pair.algorithm, pair.source) not in STEPS:
            print(f"| {pair.name} | left out: its source has no steps in STEPS |")
            continue
        found = transfers(pair, options.seeds, options.log_folder)
        measured[pair.name] = found
        print(row(pair, found, options.log_folder), flush=True)
    if measured:
        episodes = {
            run["zero_shot"]["episodes"] for runs in measured.values() for run in runs
        }
        counts = " or ".join(map(str, sorted(episodes)))
        print(f"Returns are means of {counts} episodes, medians are over seeds.")
        path = new_file(options.log_folder)
        path.write_text(json.dumps(measured, indent=1) + "\n", encoding="utf-8")
        print(f"Figures of every run: {path}")


if __name__ == "__main__":
    main()
