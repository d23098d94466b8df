"""Training, testing and reporting for the MNIST scripts; the loop is `fit`'s."""

import argparse
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import torch
from torch import Generator

from rltransfer.errors import InputError, UserError
from rltransfer.mapping import CrossEntropy, Examples, FitConfig, Network, Progress, fit


def data_options(page: str | None, seeds: list[int]) -> argparse.ArgumentParser:
    """Returns a parser of the options that all scripts have.

    Args:
        page: what the script is about.
        seeds: by default.
    """
    parser = argparse.ArgumentParser(
        description=page, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--data-dir",
        type=Path,
        metavar="DATA",
        default=os.environ.get("RLTRANSFER_DATA") or None,
        help="folder of the published files; default: $RLTRANSFER_DATA, or the cache",
    )
    parser.add_argument("--seeds", type=int, nargs="+", default=seeds, metavar="SEED")
    return parser


def require_different(seeds: list[int]) -> None:
    """Raises if a seed is given twice: deviations over them would be too small."""
    if len(set(seeds)) < len(seeds):
        raise InputError(f"seeds must differ, got {seeds}; drop one")


def options_of(page: str | None, save: str) -> argparse.ArgumentParser:
    """Returns a parser of the common options of scripts that store networks.

    Args:
        page: what the script is about.
        save: default folder for its networks.
    """
    parser = data_options(page, [0])
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--save", type=Path, default=Path(save), metavar="FOLDER")
    return parser


def run_script(
    main: Callable[[], None], kept: str = "networks already tested are stored"
) -> None:
    """Runs `main`; a user's error becomes one line and its exit status.

    Args:
        main: takes the command line.
        kept: what is left of it after Ctrl-C, for the line that says so.
    """
    try:
        main()
    except UserError as fault:
        print(fault, file=sys.stderr)
        sys.exit(fault.exit_status)
    except KeyboardInterrupt:
        print(f"Stopped; {kept}.", file=sys.stderr)
        sys.exit(130)


BATCH, TEST_BATCH, LEARNING_RATE = 64, 1000, 1e-3


def train(
    network: Network,
    examples: Examples,
    epochs: int,
    *,
    generator: Generator,
    final_rate_share: float = 1.0,
    least_updates: int = 0,
    quiet: bool = False,
) -> None:
    """Trains `network` in place by Adam, and prints a line per epoch.

    Args:
        network: what is trained; parameters that require no gradient stay.
        examples: each seen once an epoch.
        epochs: how many, unless they make fewer updates than `least_updates`.
        generator: draws the batches.
        final_rate_share: of the learning rate, at the end of its linear decay.
        least_updates: for few examples, whose epochs are short.
        quiet: prints nothing.
    """
    each = -(-len(examples) // BATCH)

    def print_epoch(progress: Progress) -> None:
        epoch, rest = divmod(progress.update, each)
        if not rest:
            print(f"Epoch [{epoch}/{epochs}], Loss: {float(progress.losses):.4f}")

    fit(
        network,
        CrossEntropy(),
        examples,
        FitConfig(
            updates=max(epochs * each, least_updates),
            batch_size=BATCH,
            learning_rate=LEARNING_RATE,
            final_rate_share=final_rate_share,
            report_every=each,
        ),
        generator=generator,
        watch=None if quiet else print_epoch,
    )


@torch.no_grad()
def accuracy(network: Network, test: Examples) -> float:
    """Returns the percentage of test rows that `network` classifies correctly."""
    right = 0
    for start in range(0, len(test), TEST_BATCH):
        some = test[start : start + TEST_BATCH]
        right += int((network(some.inputs).argmax(dim=1) == some.labels).sum())
    return 100 * right / len(test)


COLUMNS = ("source", "zero-shot", "mapped", "scratch")

Rows = Mapping[str, Sequence[tuple[float, ...]]]
"""By the number of labels: accuracies in the order of `COLUMNS`, for every seed."""


def table(title: str, rows: Rows) -> str:
    """Returns the means over seeds under their columns."""
    lines = [title, " ".join([f"{'labels':>6}", *(f"{name:>10}" for name in COLUMNS)])]
    for size, figures in rows.items():
        means = _means(figures)
        lines.append(" ".join([f"{size:>6}", *(f"{mean:10.2f}" for mean in means)]))
    return "\n".join(lines)


def verdict(rows: Rows) -> str:
    """Returns at how many sizes scratch beats the mapping, where that is expected."""
    wins = sum(mapped < scratch for *_, mapped, scratch in map(_means, rows.values()))
    found = f"at {wins} of {len(rows)} sizes scratch beats the mapping"
    if 2 * wins > len(rows):
        return f"Negative transfer, as expected: {found}."
    return f"Negative transfer was expected, but only {found}."


def _means(figures: Sequence[tuple[float, ...]]) -> list[float]:
    means: list[float] = torch.tensor(figures).mean(dim=0).tolist()
    return means
