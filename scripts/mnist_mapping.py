"""Listing 2, repaired: a source model, and a mapping from its features to a task.

    python scripts/mnist_mapping.py --data-dir DATA --seeds 0 1 2

The source model is 784-128-10 and the mapping 128-128-64. As printed, the source's ten
outputs go into the mapping, which crashes: 64x10 against 128x128. Read as meant, the
trunk's 128 features go through the mapping into a new head 64-10,

(a) all of it trained jointly, or
(b) the source trained first and frozen, then mapping and head on the target task.

For (b) the mapping starts as the identity: the trunk's features are not negative, so
its first layer can pass them on unchanged, and its second can hold the source's head.
Where both tasks have the same labels, it starts with the source's predictions
("zero-shot"); where they do not, second layer and head start at random. "Scratch" is
the network of (a), trained on the target's labels alone.

The table has the accuracy for MNIST itself, scikit-learn's digits and Fashion-MNIST,
with few labels and with all. From MNIST to Fashion-MNIST negative transfer is expected:
features of strokes are not features of clothes, and scratch wins.

Adam at 1e-3 throughout, batches of 64: constant for the source, decaying linearly to
zero for (a), (b) and scratch, for which the document fixes no schedule. Few labels get
500 updates at least. By default: one seed, 10 epochs, all sizes and targets, a few
minutes on two cores; networks are stored in runs/mnist_mapping.

The data are read from DATA/mnist and DATA/fashion-mnist, given by --data-dir or the
variable RLTRANSFER_DATA; without either they are downloaded once. Offline,
scikit-learn's digits replace MNIST.
"""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Generator

from digits.digit_files import Offline
from digits.digit_tasks import TARGETS, Task, balanced_subset, source_task
from digits.digit_training import (
    accuracy,
    options_of,
    run_script,
    table,
    train,
    verdict,
)
from rltransfer.mapping import Affine, Chain, Examples, Mlp, load_network, save_network

SIZES = ["10", "50", "100", "500", "1000", "all"]
LEAST_UPDATES = 500


def fresh(generator: Generator) -> Chain:
    """Returns trunk, mapping and head of (a), untrained."""
    return Chain(
        Affine(784, 128, activation="relu", generator=generator),
        Mlp(128, (128,), 64, activation="relu", generator=generator),
        Affine(64, 10, generator=generator),
    )


def mapping_and_head(source: Chain, labels_agree: bool, generator: Generator) -> Chain:
    """Returns mapping and head of (b), which start with the source's predictions.

    Args:
        source: trunk and head.
        labels_agree: whether both tasks have the same labels.
        generator: draws the other weights.
    """
    mapping = Mlp(128, (128,), 64, activation="relu", generator=generator)
    head = Affine(64, 10, generator=generator)
    first_weight, first_bias, second_weight, second_bias = mapping.parameters()
    with torch.no_grad():
        first_weight.copy_(torch.eye(128))
        first_bias.zero_()
        if labels_agree:
            weight, bias = source[1].parameters()
            second_weight[:, :10] = weight
            second_bias[:10] = bias
            head.weight.copy_(torch.eye(64, 10))
            head.bias.zero_()
    return Chain(mapping, head)


def train_mapping(
    source: Chain, target: Task, examples: Examples, epochs: int, seed: int, quiet: bool
) -> Chain:
    """Returns (b): the frozen trunk, and mapping and head trained on `examples`."""
    generator = torch.Generator().manual_seed(seed)
    rest = mapping_and_head(source, target.of_digits, generator)
    with torch.no_grad():
        # The trunk is frozen: features of a picture never change.
        features = Examples(source[0](examples.inputs), examples.labels)
    _train(rest, features, epochs, generator, quiet)
    return Chain(source[0], rest[0], rest[1])


def train_scratch(examples: Examples, epochs: int, seed: int, quiet: bool) -> Chain:
    """Returns (a): trunk, mapping and head trained on `examples` jointly."""
    generator = torch.Generator().manual_seed(seed)
    network = fresh(generator)
    _train(network, examples, epochs, generator, quiet)
    return network


def _train(
    network: Chain, examples: Examples, epochs: int, generator: Generator, quiet: bool
) -> None:
    train(
        network,
        examples,
        epochs,
        generator=generator,
        final_rate_share=0.0,
        least_updates=LEAST_UPDATES if quiet else 0,
        quiet=quiet,
    )


def train_listing(task: Task, seed: int, epochs: int, folder: Path) -> dict[str, Chain]:
    """Trains, stores, loads and tests the source, (a) and (b); returns them."""
    print(f"source model 784-128-10, seed {seed}")
    generator = torch.Generator().manual_seed(seed)
    source = Chain(
        Affine(784, 128, activation="relu", generator=generator),
        Affine(128, 10, generator=generator),
    )
    train(source, task.train, epochs, generator=generator)
    networks = {"source": _stored(source, "source", task, seed, folder)}
    print(f"(a) 784-128, 128-128-64 and 64-10 jointly, seed {seed}")
    joint = train_scratch(task.train, epochs, seed, quiet=False)
    networks["(a)"] = _stored(joint, "a", task, seed, folder)
    print(f"(b) 128-128-64 and 64-10 behind the frozen source, seed {seed}")
    mapped = train_mapping(
        networks["source"], task, task.train, epochs, seed, quiet=False
    )
    networks["(b)"] = _stored(mapped, "b", task, seed, folder)
    return networks


def _stored(network: Chain, name: str, task: Task, seed: int, folder: Path) -> Chain:
    place = folder / f"{name}_{seed}"
    save_network(place, network, {"seed": seed, "data": task.name})
    loaded = load_network(place, Chain)
    print(f"Accuracy: {accuracy(loaded, task.test):.2f} %")
    return loaded


def row(
    networks: dict[str, Chain],
    tasks: tuple[Task, Task],
    size: str,
    seed: int,
    epochs: int,
) -> tuple[float, ...]:
    """Returns one row of the table.

    Args:
        networks: what `train_listing` returned.
        tasks: source and target.
        size: how many labels of the target are known.
        seed: draws them, and the networks.
        epochs: of each training.
    """
    source, target = tasks
    known = networks["source"]
    if target is source and size == "all":
        mapped, alone = networks["(b)"], networks["(a)"]
    else:
        examples = balanced_subset(target.train, size, Generator().manual_seed(seed))
        mapped = train_mapping(known, target, examples, epochs, seed, quiet=True)
        alone = train_scratch(examples, epochs, seed, quiet=True)
    tested = [accuracy(network, target.test) for network in (known, mapped, alone)]
    return accuracy(known, source.test), *tested


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the listing with every seed, then prints the tables of the means."""
    parser = options_of(__doc__, "runs/mnist_mapping")
    parser.add_argument("--labels", nargs="+", choices=SIZES, default=SIZES)
    parser.add_argument("--targets", nargs="*", choices=TARGETS, default=list(TARGETS))
    options = parser.parse_args(arguments)
    source, line = source_task(options.data_dir)
    print(line)
    targets = {source.name: source}
    for name in options.targets:
        try:
            target = TARGETS[name](options.data_dir)
        except Offline as fault:
            print(f"{name} is left out: {fault}")
        else:
            targets.setdefault(target.name, target)
    accuracies: dict[str, list[float]] = {}
    rows: dict[str, dict[str, list[tuple[float, ...]]]] = {name: {} for name in targets}
    for seed in options.seeds:
        networks = train_listing(source, seed, options.epochs, options.save)
        for name, network in networks.items():
            accuracies.setdefault(name, []).append(accuracy(network, source.test))
        for name, target in targets.items():
            for size in options.labels:
                found = row(networks, (source, target), size, seed, options.epochs)
                rows[name].setdefault(size, []).append(found)
    for name, reached in accuracies.items():
        mean = sum(reached) / len(reached)
        print(f"{name}, mean of seeds {options.seeds}: {mean:.2f} %")
    for name, target in targets.items():
        title = f"{source.name} → {name}, per cent right, mean of seeds {options.seeds}"
        print(f"\n{table(title, rows[name])}")
        if not target.of_digits:
            print(verdict(rows[name]), "Zero-shot is chance: no label is a digit.")


if __name__ == "__main__":
    run_script(main)
