"""What the vision scripts with digits measure, print and judge."""

import argparse
import resource
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.progress import Progress
from scipy.stats import t as student_t

from digits.digit_tasks import Task, source_task
from digits.digit_training import data_options, require_different
from rltransfer.errors import InputError
from rltransfer.mapping import Chain, Examples, save_network
from vision.canvases import Canvases, canvases
from vision.dense_transfer import DenseTask, Outcome, outcomes
from vision.digit_reader import UPDATES, DigitReader, train_reader

AMOUNTS = (20, 100, 500, 5000)
VALIDATION = 100
"""Canvases at most that choose the learning rate of scratch."""
SHARE_OF_SOURCE = 5 / 6
"""Of the digits to train with; canvases are made of the rest."""

Table = dict[tuple[str, int], list[Outcome]]
"""By row and amount of canvases: outcomes by seed."""


def updates_for(amount: int) -> int:
    """Returns how long to train on so many canvases."""
    return 240 if amount < 500 else 300 if amount < 5000 else 400


def options_of(page: str | None, save: str) -> argparse.ArgumentParser:
    """Returns a parser of the options that these scripts have.

    Args:
        page: what the script is about.
        save: default folder for its networks.
    """
    parser = data_options(page, [0, 1, 2])
    parser.add_argument("--amounts", type=int, nargs="+", default=list(AMOUNTS))
    parser.add_argument(
        "--updates", type=int, help="in the target; default: by the amount"
    )
    parser.add_argument("--source-updates", type=int, default=UPDATES)
    parser.add_argument(
        "--source-seed", type=int, help="of one source for all seeds; default: one each"
    )
    parser.add_argument("--test", type=int, default=500, metavar="CANVASES")
    parser.add_argument("--save", type=Path, default=Path(save), metavar="FOLDER")
    parser.add_argument("--picture", type=Path, metavar="PNG", help="draw a page")
    return parser


def measured(
    task: DenseTask, options: argparse.Namespace, turn: float
) -> tuple[Table, list[DigitReader], dict[str, Chain], Canvases]:
    """Returns the table, the sources, and the last networks with their test canvases.

    Args:
        task: the target.
        options: of the command line.
        turn: most radians that digits are turned, the source's too.
    """
    require_different(options.seeds)
    if min(*options.amounts, options.test) < 2:
        raise InputError(
            f"at least 2 canvases are needed, got {options.amounts} to train and "
            f"{options.test} to test"
        )
    torch.set_num_threads(1)
    digits, line = source_task(options.data_dir)
    print(line)
    table: Table = {}
    readers: list[DigitReader] = []
    with Progress(console=Console(file=sys.stderr), transient=True) as progress:
        jobs = len(options.seeds) * (1 + len(options.amounts))
        bar = progress.add_task("training", total=jobs)
        for seed in options.seeds:
            if not readers or options.source_seed is None:
                readers.append(_source(digits, options, turn, seed))
            made = _prepared(digits, options, turn, seed)
            progress.advance(bar)
            for amount in options.amounts:
                parts = made | {"train": made["train"].first(amount)}
                updates = options.updates or updates_for(amount)
                rows, networks = outcomes(readers[-1], task, parts, seed, updates)
                for name, outcome in rows.items():
                    table.setdefault((name, amount), []).append(outcome)
                for name, network in networks.items():
                    place = options.save / f"{name.replace(', ', '_')}_{amount}_{seed}"
                    save_network(place, network, {"seed": seed, "canvases": amount})
                progress.advance(bar)
    return table, readers, networks, made["test"]


def _source(
    digits: Task, options: argparse.Namespace, turn: float, seed: int
) -> DigitReader:
    """Returns what reads single digits, trained with `SHARE_OF_SOURCE` of them."""
    own = seed if options.source_seed is None else options.source_seed
    return train_reader(
        _source_digits(digits)[0], digits.test, own, options.source_updates, turn
    )


def _source_digits(digits: Task) -> tuple[Examples, Examples]:
    """Returns the digits of the source, and those of canvases."""
    cut = round(SHARE_OF_SOURCE * len(digits.train))
    return digits.train[:cut], digits.train[cut:]


def _prepared(
    digits: Task, options: argparse.Namespace, turn: float, seed: int
) -> dict[str, Canvases]:
    """Returns canvases of digits that the source was not trained with."""
    rest = _source_digits(digits)[1]
    amounts = {
        "train": max(options.amounts),
        "validation": min(VALIDATION, options.test),
        "test": options.test,
    }
    # A stream of its own for each part of each seed.
    seeds = np.random.SeedSequence(seed).generate_state(len(amounts))
    return {
        name: canvases(digits.test if name == "test" else rest, amount, int(own), turn)
        for (name, amount), own in zip(amounts.items(), seeds, strict=True)
    }


def peak_memory() -> float:
    """Returns the most megabytes that this process has held so far."""
    kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return kilobytes / (1024**2 if sys.platform == "darwin" else 1024)


def print_table(table: Table, columns: Sequence[str]) -> None:
    """Prints means ± deviations over seeds, and mean seconds of training."""
    names = [*columns, "seconds"]
    print(" ".join([f"{'canvases':>8} {'':16}", *(f"{name:>16}" for name in names)]))
    amounts = sorted({amount for _, amount in table})
    for amount in amounts:
        for name in dict.fromkeys(name for name, _ in table):
            rows = table[name, amount]
            figures = np.array([row.scores for row in rows])
            cells = [
                f"{mean:.3f} ± {deviation:.3f}"
                for mean, deviation in zip(figures.mean(0), figures.std(0), strict=True)
            ]
            cells.append(f"{np.mean([row.seconds for row in rows]):.1f}")
            line = [f"{amount:8} {name:16}", *(f"{cell:>16}" for cell in cells)]
            print(" ".join(line))
    print(f"Peak memory: {peak_memory():.0f} MB")


def interval(differences: Sequence[float]) -> tuple[float, float]:
    """Returns the 95 % interval of the mean by Student's t; endless for one seed."""
    count = len(differences)
    if count < 2:
        return -np.inf, np.inf
    half = float(
        student_t.ppf(0.975, count - 1) * np.std(differences, ddof=1) / count**0.5
    )
    return float(np.mean(differences)) - half, float(np.mean(differences)) + half


def print_goals(table: Table, score: str) -> None:
    """Prints how the mapping and fine-tuning stand to scratch, and to a linear map."""
    firsts: Mapping[tuple[str, int], list[float]] = {
        key: [row.scores[0] for row in rows] for key, rows in table.items()
    }
    for amount in sorted({amount for _, amount in table}):
        scratch = firsts["scratch", amount]
        mapped = float(np.mean(firsts["mapped", amount]))
        alone = float(np.mean(scratch))
        times = f"{mapped / alone:.2f} times" if alone else "any number of times"
        print(f"{amount} canvases: {score} mapped is {times} that of scratch.")
        for one, other in (
            ("fine-tuned", "scratch"),
            ("mapped", "scratch"),
            ("mapped", "mapped, linear"),
        ):
            pairs = zip(firsts[one, amount], firsts[other, amount], strict=True)
            gaps = [a - b for a, b in pairs]
            low, high = interval(gaps)
            print(
                f"  {one} - {other}: {np.mean(gaps):+.3f}, "
                f"95 % in {low:+.3f} … {high:+.3f}"
            )
