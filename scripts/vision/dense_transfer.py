"""From a digit reader to what is asked at every place: the rows of the tables."""

import time
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, final

import torch
from torch import Generator

from digits.digit_tasks import CLASSES
from rltransfer.mapping import (
    Affine,
    AtEveryPlace,
    Chain,
    Convolutions,
    Examples,
    FitConfig,
    Network,
    Objective,
    ResidualAffine,
    fit,
)
from vision.canvases import SIZE, Canvases
from vision.digit_reader import GRID, SIDE, DigitReader, untrained

FEATURES, WIDTH = 64, 128
"""What the mapping hands on, and its hidden layer."""
BATCH = 16
SCRATCH_RATES = (1e-3, 3e-3, 1e-2)
SHOWN = CLASSES + SIDE**2
"""Features that the mapping starts with: the source's classes, and the pixels."""


@final
@dataclass(frozen=True)
class DenseTask:
    """What is asked at every place of a canvas."""

    objective: Objective[Any, Any]
    labelled: Callable[[Canvases], Examples]
    knows: Callable[[Affine, DigitReader], None]
    """Sets a head's weights, which are zero, to say what the source does.

    By the features `SHOWN`: what it reads, and the pixels.
    """
    expects: Callable[[Affine, DigitReader], None]
    """Sets a head's biases to what is to be expected without a picture."""
    scores: Callable[[Network, Canvases], tuple[float, ...]]
    """The first one chooses scratch's learning rate; higher is better there."""
    channels: int
    """Numbers at each place."""
    rate: float
    """Of the mapping, and of fine-tuning."""
    context: bool = False
    """Whether the mapping, unless it is linear, sees the places around each too."""


@final
@dataclass(frozen=True)
class Outcome:
    """One row of a table, of one seed."""

    scores: tuple[float, ...]
    seconds: float
    """Of training in the target."""


def started(reader: DigitReader, task: DenseTask, hidden: bool, seed: int) -> Chain:
    """Returns trunk, mapping and head that say what the source knows.

    Args:
        reader: the source.
        task: the target.
        hidden: whether the mapping has a hidden layer; else it is linear.
        seed: draws the weights that the source says nothing of.
    """
    generator = Generator().manual_seed(seed)
    classifier = reader.classifier
    mapping: Network = Affine(classifier.inputs, FEATURES, generator=generator)
    head = Affine(FEATURES, task.channels, generator=generator)
    assert isinstance(mapping, Affine)
    with torch.no_grad():
        mapping.weight[:, :CLASSES] = classifier.weight
        mapping.bias[:CLASSES] = classifier.bias
        # The picture is the first depth that is handed on.
        mapping.weight[:, CLASSES:SHOWN] = torch.eye(classifier.inputs, SIDE**2)
        mapping.bias[CLASSES:SHOWN] = 0
        head.weight.zero_()
        task.knows(head, reader)
        task.expects(head, reader)
    if hidden:
        mapping = ResidualAffine.around(mapping, (WIDTH,), generator=generator)
    wide = hidden and task.context
    return _network(reader.trunk, mapping, head, generator if wide else None)


def _network(
    trunk: Network, mapping: Network, head: Affine, context: Generator | None
) -> Chain:
    """Returns the three in turn; `context` draws a layer that sees the places around.

    What that layer adds stands behind the mapping's features, and counts little before
    the head is trained.
    """
    places = GRID**2
    if context is None:
        return Chain(trunk, AtEveryPlace(Chain(mapping, head), places))
    around = Convolutions(
        GRID, GRID, FEATURES, ((FEATURES, 1, 2),), (0, 1), generator=context
    )
    wider = Affine(around.features, head.outputs, generator=context)
    with torch.no_grad():
        wider.weight.mul_(0.1)
        wider.weight[:FEATURES] = head.weight
        wider.bias.copy_(head.bias)
    return Chain(
        trunk, AtEveryPlace(mapping, places), around, AtEveryPlace(wider, places)
    )


def drawn(reader: DigitReader, task: DenseTask, seed: int) -> Chain:
    """Returns the same network with drawn weights, but for what is to be expected."""
    generator = Generator().manual_seed(seed)
    trunk = untrained(SIZE, generator)
    affine = Affine(trunk.features, FEATURES, generator=generator)
    mapping = ResidualAffine.around(affine, (WIDTH,), generator=generator)
    head = Affine(FEATURES, task.channels, generator=generator)
    with torch.no_grad():
        task.expects(head, reader)
    return _network(trunk, mapping, head, generator if task.context else None)


def trained(
    network: Chain,
    task: DenseTask,
    rows: Examples,
    updates: int,
    rate: float,
    seed: int,
    frozen: bool,
) -> Chain:
    """Returns a copy of the network, fitted to `rows`; `frozen`: without its trunk."""
    network = deepcopy(network)
    network[0].requires_grad_(not frozen)
    config = FitConfig(
        updates=updates,
        batch_size=BATCH,
        learning_rate=rate,
        final_rate_share=0.0,
        # Of what is only reported; few canvases are all needed.
        validation_share=0.02 if len(rows) >= 500 else 0.0,
    )
    draws = Generator().manual_seed(seed)
    fit(network, task.objective, rows, config, generator=draws)
    return network


def outcomes(
    reader: DigitReader,
    task: DenseTask,
    parts: Mapping[str, Canvases],
    seed: int,
    updates: int,
) -> tuple[dict[str, Outcome], dict[str, Chain]]:
    """Returns the rows of one amount of canvases and one seed, and their networks.

    Fine-tuning goes on from the mapped network, for half of the updates, with all
    weights. Scratch has as many updates as the mapping; its rate is the best of
    `SCRATCH_RATES` on the validation canvases.

    Args:
        reader: the source.
        task: the target.
        parts: canvases to "train", for "validation" and to "test".
        seed: of weights and batches.
        updates: of each training.
    """
    rows = task.labelled(parts["train"])
    networks = {"zero-shot": started(reader, task, True, seed)}
    seconds = {"zero-shot": 0.0}

    def train(name: str, start: Chain, rate: float, share: float, frozen: bool) -> None:
        since = time.perf_counter()
        count = max(1, round(share * updates))
        networks[name] = trained(start, task, rows, count, rate, seed, frozen)
        seconds[name] = time.perf_counter() - since

    linear = started(reader, task, False, seed)
    train("mapped, linear", linear, task.rate, 1.0, True)
    train("mapped", networks["zero-shot"], task.rate, 1.0, True)
    train("fine-tuned", networks["mapped"], task.rate, 0.5, False)
    seconds["fine-tuned"] += seconds["mapped"]
    fresh, best = drawn(reader, task, seed), -torch.inf
    for rate in SCRATCH_RATES:
        train(f"at {rate}", fresh, rate, 1.0, False)
        network, took = networks.pop(f"at {rate}"), seconds.pop(f"at {rate}")
        reached = task.scores(network, parts["validation"])[0]
        if reached > best:
            best, networks["scratch"], seconds["scratch"] = reached, network, took
    scored = {
        name: Outcome(task.scores(network, parts["test"]), seconds[name])
        for name, network in networks.items()
    }
    return scored, networks
