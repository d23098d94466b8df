"""How much tests of survival, hostile files and transfers do, and what they draw.

`make test` takes the defaults; `make torture` asks for more, under any seed. Both are
printed with the counts at the end, so that every run can be repeated.
"""

import os
from collections.abc import Iterable, Sequence
from itertools import product
from typing import TypeVar

Row = TypeVar("Row")
Column = TypeVar("Column")

SCALE = int(os.environ.get("RLTRANSFER_SCALE", "1"))
"""How many times the size of CI."""
SEED = int(os.environ.get("RLTRANSFER_SEED", "0"))

QUICK = {
    "restarts": 2,
    "updates": 10,
    "rounds": 1,
    "source_steps": 600,
    "learning.width": 16,
    "learning.updates": 20,
    "actions.updates": 20,
    "camera.first_updates": 2,
    "camera.updates": 5,
}
"""Hyperparameters of transfers that take little effort."""


def paired(rows: Iterable[Row], columns: Sequence[Column]) -> list[tuple[Row, Column]]:
    """Returns all pairs; in CI each row with one of the columns, in turns."""
    if SCALE > 1:
        return list(product(rows, columns))
    return [(row, columns[n % len(columns)]) for n, row in enumerate(rows)]
