"""What each part of the search is worth: whole transfers with one of them left out.

    python scripts/ablations.py -f checkpoints --lines ablations.jsonl --seeds 2389 2780

A transfer has the pair's budget. What comes out acts in 20 fresh episodes, accepted or
not. What is in the file of lines is not measured again.
"""

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Mapping
from itertools import product
from pathlib import Path
from typing import Any

import rltransfer
from rltransfer.report.tables import markdown
from rltransfer.workflows.benchmark_jobs import folder_of, train_agent
from rltransfer.workflows.transfer_result import TransferResult
from rltransfer_envs.pairs import PAIRS

NAMES = (
    *("acrobot-rewired", "cartpole-scrambled", "cartpole-noisy"),
    *("lander-continuous", "hopper-scrambled", "swimmer-scrambled"),
)
FAMILIES = "matched", "responses", "history", "same sensors", "affine", "residual"
CHANGES: Mapping[str, Mapping[str, Any]] = {
    "nothing": {},
    **{family: {"without": family} for family in (*FAMILIES, "tuned")},
    "40 of 48 restarts": {"restarts": 8},
    "rounds after the first": {"rounds": 1},
}
"""Hyperparameters of a transfer, by what they leave out."""
KEY = "left_out", "pair", "seed"


def measured(name: str, change: str, seed: int, folder: Path) -> dict[str, Any]:
    """Returns what came of one transfer: share of home, verdict, steps and seconds."""
    pair = PAIRS[name]
    source = folder_of(pair.source, folder)
    if not source.exists():
        train_agent(pair.source, folder)
    begun = time.process_time()
    with tempfile.TemporaryDirectory() as work:
        found = rltransfer.transfer(
            source,
            pair.target,
            # Files of older versions name an environment that is not registered now.
            source_env=pair.source.env_id,
            target_kwargs=pair.target_options(seed),
            steps=pair.budget,
            seed=seed,
            report=False,
            hyperparams=dict(CHANGES[change]),
            log_folder=work,
        )
    assert isinstance(found, TransferResult)
    assert found.random is not None and found.zero_shot is not None
    floor = found.random.mean_return
    way = found.source_at_home.mean_return - floor
    return {
        "left_out": change,
        "pair": name,
        "seed": seed,
        "share": (found.zero_shot.mean_return - floor) / way,
        "accepted": found.accepted,
        "family": found.sources[0].family,
        "steps": found.target_steps,
        "seconds": round(time.process_time() - begun, 1),
    }


def cell(lines: list[dict[str, Any]]) -> str:
    """Returns the median share, each seed's, and the median of processor seconds."""
    if not lines:
        return ""
    shares = [line["share"] for line in lines]
    told = " ".join(
        f"{line['share']:.2f}" + ("" if line["accepted"] else " refused")
        for line in lines
    )
    seconds = statistics.median(line["seconds"] for line in lines)
    return f"{statistics.median(shares):.2f} ({told}), {seconds:.0f} s"


def main(arguments: list[str] | None = None) -> None:
    """Prints a line for each transfer, then a table with a row for what is left out."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("-f", "--log-folder", type=Path, default=Path("runs"))
    parser.add_argument("--pairs", nargs="+", default=list(NAMES), choices=PAIRS)
    parser.add_argument("--left-out", nargs="+", default=list(CHANGES), choices=CHANGES)
    parser.add_argument("--seeds", type=int, nargs="+", default=[2389, 2780])
    parser.add_argument("--lines", type=Path, required=True)
    asked = parser.parse_args(arguments)
    asked.lines.touch()
    lines = [json.loads(line) for line in asked.lines.read_text().splitlines()]
    known = {tuple(line[name] for name in KEY) for line in lines}
    for key in product(asked.left_out, asked.pairs, asked.seeds):
        if key not in known:
            change, pair, seed = key
            lines.append(measured(pair, change, seed, asked.log_folder))
            with asked.lines.open("a") as kept:
                print(json.dumps(lines[-1]), file=kept)
            print(json.dumps(lines[-1]), flush=True)
    table = [
        {"left out": change}
        | {
            pair: cell(
                [x for x in lines if (x["left_out"], x["pair"]) == (change, pair)]
            )
            for pair in asked.pairs
        }
        for change in asked.left_out
    ]
    print(markdown(table))


if __name__ == "__main__":
    main()
