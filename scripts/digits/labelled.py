"""Few labels out of many."""

import torch
from torch import Generator

from digits.tasks import CLASSES
from rltransfer.mapping import Examples


def labelled(examples: Examples, size: str, generator: Generator) -> Examples:
    """Returns so many examples, as many of each class as there are; or all."""
    if size == "all" or int(size) >= len(examples):
        return examples
    order = torch.randperm(len(examples), generator=generator)
    classes = examples.labels[order]
    share = -(-int(size) // CLASSES)
    chosen = torch.cat([order[classes == k][:share] for k in classes.unique()])
    return examples[chosen[: int(size)]]
