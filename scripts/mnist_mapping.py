"""Listing 2, repaired: a source model, and a mapping from its features to a task.

    python scripts/mnist_mapping.py --data-dir DATA --seeds 0 1 2

The source model is 784-128-10 and the mapping 128-128-64. As printed, the source's ten
outputs go into the mapping, which crashes: 64x10 against 128x128. Read as meant, the
trunk's 128 features go through the mapping into a new head 64-10,

(a) all of it trained jointly, or
(b) the source trained first and frozen, then mapping and head on the target task.

For (b) the mapping starts as the identity: the trunk's features are not negative, so
its first layer can pass them on as they are, and its second can hold the source's
head. Where the labels of both tasks agree, it so starts out from what the source knows
("zero-shot"); where they do not, second layer and head start afresh. "Scratch" is the
network of (a), trained on the target's labels alone.

The table tells, for MNIST itself, scikit-learn's digits and Fashion-MNIST, what is
right with few labels and with all. From MNIST to Fashion-MNIST negative transfer is
expected: features of strokes are no features of clothes, and scratch wins.

Adam at 1e-3 throughout, batches of 64: constant for the source, straight down to zero
for (a), (b) and scratch, for which the document fixes no schedule. Few labels get
500 updates at least. By default: one seed, 10 epochs, all sizes and targets, a few
minutes on two cores; networks are stored in runs/mnist_mapping.

The data lie in DATA/mnist and DATA/fashion-mnist, given by --data-dir or the variable
RLTRANSFER_DATA; without either they are downloaded once. Offline, scikit-learn's digits
stand in for MNIST.
"""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Generator

from digits import TARGETS, Offline, Task, accuracy, source_task, train
from digits.digit_tasks import labelled
from digits.digit_training import in_one_line, options_of, table, verdict
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
    """Returns mapping and head of (b): they pass on what the source knows.

    Args:
        source: trunk and head.
        labels_agree: whether the source's head answers the target's question.
        generator: draws the rest of the start.
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


def carried(
    source: Chain, target: Task, lessons: Examples, epochs: int, seed: int, silent: bool
) -> Chain:
    """Returns (b): the frozen trunk, and mapping and head trained on `lessons`."""
    generator = torch.Generator().manual_seed(seed)
    rest = mapping_and_head(source, target.of_digits, generator)
    with torch.no_grad():
        # The trunk is frozen: what it makes of a picture never changes.
        features = Examples(source[0](lessons.inputs), lessons.labels)
    _train(rest, features, epochs, generator, silent)
    return Chain(source[0], rest[0], rest[1])


def scratch(lessons: Examples, epochs: int, seed: int, silent: bool) -> Chain:
    """Returns (a): trunk, mapping and head trained on `lessons` jointly."""
    generator = torch.Generator().manual_seed(seed)
    network = fresh(generator)
    _train(network, lessons, epochs, generator, silent)
    return network


def _train(
    network: Chain, lessons: Examples, epochs: int, generator: Generator, silent: bool
) -> None:
    train(
        network,
        lessons,
        epochs,
        generator=generator,
        final_rate_share=0.0,
        least_updates=LEAST_UPDATES if silent else 0,
        silent=silent,
    )


def listing(task: Task, seed: int, epochs: int, folder: Path) -> dict[str, Chain]:
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
    joint = scratch(task.train, epochs, seed, silent=False)
    networks["(a)"] = _stored(joint, "a", task, seed, folder)
    print(f"(b) 128-128-64 and 64-10 behind the frozen source, seed {seed}")
    mapped = carried(networks["source"], task, task.train, epochs, seed, silent=False)
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
        networks: what `listing` returned.
        tasks: source and target.
        size: how many labels of the target are known.
        seed: draws them, and the networks.
        epochs: how often they are learned.
    """
    source, target = tasks
    known = networks["source"]
    if target is source and size == "all":
        mapped, alone = networks["(b)"], networks["(a)"]
    else:
        lessons = labelled(target.train, size, Generator().manual_seed(seed))
        mapped = carried(known, target, lessons, epochs, seed, silent=True)
        alone = scratch(lessons, epochs, seed, silent=True)
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
    learned: dict[str, list[float]] = {}
    rows: dict[str, dict[str, list[tuple[float, ...]]]] = {name: {} for name in targets}
    for seed in options.seeds:
        networks = listing(source, seed, options.epochs, options.save)
        for name, network in networks.items():
            learned.setdefault(name, []).append(accuracy(network, source.test))
        for name, target in targets.items():
            for size in options.labels:
                found = row(networks, (source, target), size, seed, options.epochs)
                rows[name].setdefault(size, []).append(found)
    for name, reached in learned.items():
        mean = sum(reached) / len(reached)
        print(f"{name}, mean of seeds {options.seeds}: {mean:.2f} %")
    for name, target in targets.items():
        print(f"\n{table(f'{source.name} → {name}, per cent right', rows[name])}")
        if not target.of_digits:
            print(verdict(rows[name]), "Zero-shot is chance: no label is a digit.")


if __name__ == "__main__":
    in_one_line(main)
