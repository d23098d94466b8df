"""Rows to fit to: which are held out, and in what batches the rest is seen."""

from collections.abc import Iterator
from typing import Any, Protocol, TypeVar, runtime_checkable

import torch
from jaxtyping import Int
from torch import Generator, Tensor

from rltransfer.errors import InputError

R = TypeVar("R", bound="Rows")


@runtime_checkable
class Rows(Protocol):
    """Anything with rows: transitions, examples."""

    def __len__(self) -> int:
        """Returns how many rows there are."""
        ...

    def __getitem__(self, rows: Any, /) -> Any:
        """Returns the rows at these places, as the same type."""


def held_out(rows: R, share: float, generator: Generator) -> tuple[R, R]:
    """Returns the rows to fit to and those to select by; share 0: the same rows."""
    if len(rows) < 2:
        raise InputError(f"a fit needs at least 2 rows, got {len(rows)}; collect more")
    if not share:
        return rows, rows
    count = min(max(1, round(share * len(rows))), len(rows) - 1)
    places = torch.randperm(len(rows), generator=generator)
    return rows[places[count:]], rows[places[:count]]


def batches(
    rows: int, batch_size: int, generator: Generator
) -> Iterator[Int[Tensor, " batch"]]:
    """Yields places without end: every row once, in a new order, then again.

    A pass is cut into batches of nearly one size, none above `batch_size`: a small
    rest at its end would weigh as much as a full batch, with more noise.
    """
    count = -(-rows // batch_size)
    while True:
        order = torch.randperm(rows, generator=generator)
        yield from order.tensor_split(count)
