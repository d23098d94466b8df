"""Made-up systems to learn from, drawn in a process of their own while others learn."""

from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection, Pipe
from typing import Any

import numpy as np
import torch

from rltransfer.alignment.matching.domain_graph import DomainGraph
from rltransfer.alignment.matching.match_training import MatchExample, match_example
from rltransfer.wrappers.subprocess_env import start_process

_GRAPH = ("even", "odd", "odd_odd", "even_odd", "even_even", "kind")


@contextmanager
def drawn_examples(
    root: np.random.SeedSequence, first: int
) -> Iterator[Iterator[MatchExample]]:
    """Yields examples without end; example i is drawn from child i of `root`.

    Args:
        root: of the examples' seeds.
        first: number of the first one.
    """
    ours, theirs = Pipe(duplex=False)
    process = start_process(
        _draw, root.entropy, root.spawn_key, first, theirs, name="examples", daemon=True
    )
    theirs.close()
    try:
        yield _received(ours)
    finally:
        ours.close()
        process.terminate()
        process.join()


def _received(examples: Connection) -> Iterator[MatchExample]:
    while True:
        try:
            yield _unpacked(*examples.recv())
        except EOFError as fault:
            raise RuntimeError("the process that draws examples has died") from fault


def _draw(
    entropy: int, spawn_key: tuple[int, ...], number: int, examples: Connection
) -> None:
    torch.set_num_threads(1)
    while True:
        seed = np.random.SeedSequence(entropy, spawn_key=(*spawn_key, number))
        try:
            examples.send(_packed(match_example(seed)))
        except (BrokenPipeError, ConnectionResetError):
            return
        number += 1


def _packed(example: MatchExample) -> tuple[Any, ...]:
    """Returns an example as arrays: torch would send each tensor as an open file."""
    sides = [
        ({name: getattr(graph, name).numpy() for name in _GRAPH}, graph.discrete)
        for graph in (example.source, example.target)
    ]
    return (*sides, example.partner.numpy(), example.rows)


def _unpacked(source: Any, target: Any, partner: Any, rows: int) -> MatchExample:
    ours, theirs = (
        DomainGraph(
            **{name: torch.from_numpy(part) for name, part in arrays.items()},
            discrete=discrete,
        )
        for arrays, discrete in (source, target)
    )
    return MatchExample(ours, theirs, torch.from_numpy(partner), rows)
