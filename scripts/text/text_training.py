"""Training for `text_mapping.py`: the loop is `fit`'s; classifiers of strings."""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

import torch
from torch import Generator, Tensor

from digits.digit_training import accuracy
from rltransfer.mapping import (
    Affine,
    Chain,
    CrossEntropy,
    Examples,
    FitConfig,
    Network,
    Objective,
    fit,
    load_network,
    save_network,
)
from text.language_sides import Sides
from text.text_tables import Classes

LABELS = ("20", "50", "200", "all")
BATCH, LEARNING_RATE, UPDATES = 128, 3e-3, 100


def few_enough(amounts: Sequence[str], most: int) -> list[str]:
    """Returns the amounts that there are, "all" among them."""
    return [amount for amount in amounts if amount == "all" or int(amount) <= most]


def fitted(
    network: Network,
    objective: Objective[Any, Any],
    rows: Examples | Tensor,
    seed: int,
    updates: int,
) -> Network:
    """Returns the network, fitted in place."""
    config = FitConfig(updates=updates, batch_size=BATCH, learning_rate=LEARNING_RATE)
    fit(network, objective, rows, config, generator=Generator().manual_seed(seed))
    return network


def classes(
    sides: Sides, mappings: Mapping[str, Network], seed: int, updates: int, folder: Path
) -> Classes:
    """Returns per cent right of held-out strings; the first is the source at home.

    Args:
        sides: both languages.
        mappings: by the number of pairs; "none" is the identity.
        seed: draws networks and batches.
        updates: of each training.
        folder: holds the source behind the mapping of 200 pairs.
    """
    labels, count = sides.strings.labels, len(sides.strings.classes)
    kept, held = sides.kept, sides.held
    inputs, size = sides.features.shape[1], sides.vectors.shape[1]
    head = Affine(size, count, generator=Generator().manual_seed(seed))
    english = Examples(sides.vectors[kept], labels[kept])
    fitted(head, CrossEntropy(), english, seed, updates)
    commonest = labels[kept].bincount().argmax()
    reached = {
        ("source, on English", ""): accuracy(
            head, Examples(sides.vectors[held], labels[held])
        ),
        ("commonest class", ""): 100
        * float((labels[held] == commonest).float().mean()),
    }
    test = Examples(sides.features[held], labels[held])
    for amount, mapping in mappings.items():
        reached["zero-shot, by pairs", amount] = accuracy(Chain(mapping, head), test)
    mapping = mappings["200"] if "200" in mappings else mappings["all"]
    save_network(folder, Chain(mapping, head), {"seed": seed})
    mapped = load_network(folder, Chain)
    for amount in few_enough(LABELS, len(kept)):
        places = kept if amount == "all" else kept[: int(amount)]
        rows = Examples(sides.features[places], labels[places])
        behind = deepcopy(mapped)
        with torch.no_grad():
            between = Examples(behind[0](rows.inputs), rows.labels)
        fitted(behind[1], CrossEntropy(), between, seed, updates)
        drawn = Generator().manual_seed(seed)
        same = Chain(
            Affine(inputs, size, activation="rms_norm", generator=drawn),
            Affine(size, count, generator=drawn),
        )
        linear = Affine(inputs, count, generator=drawn)
        trained = {
            "mapped": behind,
            "fine-tuned": fitted(deepcopy(mapped), CrossEntropy(), rows, seed, updates),
            "scratch, same network": fitted(same, CrossEntropy(), rows, seed, updates),
            "scratch, linear": fitted(linear, CrossEntropy(), rows, seed, updates),
        }
        for name, network in trained.items():
            reached[name, amount] = accuracy(network, test)
    return reached
