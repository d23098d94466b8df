"""Listing 1: a task model and a mapping model, on MNIST.

    python scripts/mnist_listing.py --data-dir DATA --seeds 0 1 2

Task model 784-256-10, mapping model 784-256-256-10; Adam at 1e-3, constant; batches of
64; 10 epochs; tested by 1000. In the document the mapping model is in the optimiser
but in no loss, so that no gradient ever reaches its 269,322 parameters. Here it is
trained too, as a mapping from the input to the task, and tested beside the task model.
Without options one seed runs; networks are stored in runs/mnist_listing.

The data are read from DATA/mnist, given by --data-dir or the variable RLTRANSFER_DATA;
without either they are downloaded once. Offline, scikit-learn's digits are used.
"""

from collections.abc import Sequence
from pathlib import Path

import torch

from digits.digit_tasks import Task, source_task
from digits.digit_training import accuracy, options_of, run_script, train
from rltransfer.mapping import Mlp, load_network, save_network

WIDTHS = {"task model": (256,), "mapping model": (256, 256)}
"""Hidden layers, by the model's name."""


def train_and_test(
    name: str, task: Task, seed: int, epochs: int, folder: Path
) -> float:
    """Trains, stores, loads and tests one model; returns its accuracy."""
    generator = torch.Generator().manual_seed(seed)
    model = Mlp(784, WIDTHS[name], 10, activation="relu", generator=generator)
    print(f"{name} {'-'.join(map(str, (784, *WIDTHS[name], 10)))}, seed {seed}")
    train(model, task.train, epochs, generator=generator)
    place = folder / f"{name.replace(' ', '_')}_{seed}"
    save_network(place, model, {"seed": seed, "epochs": epochs, "data": task.name})
    reached = accuracy(load_network(place, Mlp), task.test)
    print(f"Accuracy: {reached:.2f} %")
    return reached


def main(arguments: Sequence[str] | None = None) -> None:
    """Trains and tests both models with every seed."""
    options = options_of(__doc__, "runs/mnist_listing").parse_args(arguments)
    task, line = source_task(options.data_dir)
    print(line)
    for name in WIDTHS:
        reached = torch.tensor(
            [
                train_and_test(name, task, seed, options.epochs, options.save)
                for seed in options.seeds
            ]
        )
        print(f"{name}, mean of seeds {options.seeds}: {reached.mean():.2f} %\n")


if __name__ == "__main__":
    run_script(main)
