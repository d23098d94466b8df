"""Rows to fit to: which are held out, and in what batches the others are seen."""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any, Protocol, TypeVar, final, runtime_checkable

import torch
from jaxtyping import Bool, Float, Int, Int64
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


@final
@dataclass(frozen=True, eq=False)
class Transitions:
    """Steps taken in one domain, one row each.

    Observations are flat; actions are encoded as `rltransfer.domain` encodes them:
    one-hot where they are discrete, scaled to [-1, 1] where they are continuous.
    A truncated step is not terminated: its next observation still has a future.
    """

    episode: Int64[Tensor, " step"]
    """Number of the episode that the step belongs to; its steps stand in order."""
    observation: Float[Tensor, "step observation"]
    action: Float[Tensor, "step action"]
    reward: Float[Tensor, " step"]
    next_observation: Float[Tensor, "step observation"]
    terminated: Bool[Tensor, " step"]
    truncated: Bool[Tensor, " step"]

    def __post_init__(self) -> None:
        rows = {f.name: len(getattr(self, f.name)) for f in fields(self)}
        if len(set(rows.values())) > 1:
            raise ValueError(f"every field needs one row per step, got {rows}")

    def __len__(self) -> int:
        return len(self.reward)

    def __getitem__(self, rows: slice | Tensor) -> "Transitions":
        return Transitions(*(getattr(self, f.name)[rows] for f in fields(self)))

    @classmethod
    def join(cls, *parts: "Transitions") -> "Transitions":
        """Returns the rows of all `parts`, in their order.

        Episodes are numbered anew, part after part: equal numbers in two parts are two
        episodes.
        """
        columns = {
            f.name: torch.cat([getattr(part, f.name) for part in parts])
            for f in fields(cls)
        }
        episodes, first = [], 0
        for part in parts:
            episodes.append(part.episode + first)
            first += int(part.episode.max()) + 1 if len(part) else 0
        return cls(**columns | {"episode": torch.cat(episodes)})


@final
@dataclass(frozen=True, eq=False)
class Examples:
    """Inputs and their labels, one row each.

    Args:
        labels: a class per row, or a row of numbers to be predicted.
    """

    inputs: Float[Tensor, "row inputs"]
    labels: Int[Tensor, " label"] | Float[Tensor, "label outputs"]

    def __post_init__(self) -> None:
        if len(self.inputs) != len(self.labels):
            raise ValueError(
                f"every row needs one input and one label, got {len(self.inputs)} "
                f"inputs and {len(self.labels)} labels"
            )

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, rows: slice | Tensor) -> "Examples":
        if isinstance(rows, slice):
            return Examples(self.inputs[rows], self.labels[rows])
        # Three times as fast as indexing, on rows as wide as an image.
        return Examples(
            self.inputs.index_select(0, rows), self.labels.index_select(0, rows)
        )


@final
@dataclass(frozen=True, eq=False)
class Trajectories:
    """Stretches of episodes, a row each, and where the source may have gone meanwhile.

    Stretches that are shorter than the longest one are filled up with anything.
    """

    inputs: Float[Tensor, "row time inputs"]
    """What the target showed."""
    there: Bool[Tensor, "row time"]
    """False where a stretch is filled up."""
    mean: Float[Tensor, "row time outputs"]
    """Where the source would be on average."""
    directions: Float[Tensor, "row direction time outputs"]
    """How whole trajectories of the source differ from the mean: orthonormal where
    `there`, zero elsewhere.
    """
    variance: Float[Tensor, "row direction"]
    """Of the source's trajectories along each direction."""

    def __len__(self) -> int:
        return len(self.inputs)

    def __getitem__(self, rows: slice | Tensor) -> "Trajectories":
        return Trajectories(*(getattr(self, f.name)[rows] for f in fields(self)))


@final
@dataclass(frozen=True, eq=False)
class Unpaired:
    """Labelled source rows beside unlabelled target rows; the two are no pairs.

    The shorter side starts over until the longer one ends, so a pass sees all of both.
    """

    source: Examples
    target: Float[Tensor, "row inputs"]

    def __post_init__(self) -> None:
        if min(len(self.source), len(self.target)) < 1:
            raise ValueError("both domains need rows, one of them has none")

    def __len__(self) -> int:
        return max(len(self.source), len(self.target))

    def __getitem__(self, rows: slice | Tensor) -> "Unpaired":
        if isinstance(rows, slice):
            rows = torch.arange(len(self))[rows]
        return Unpaired(
            self.source[rows % len(self.source)],
            self.target.index_select(0, rows % len(self.target)),
        )


def held_out(rows: R, share: float, generator: Generator) -> tuple[R, R]:
    """Returns the rows to fit to and those to select by; share 0: the same rows."""
    if len(rows) < 2:
        raise InputError(f"a fit needs at least 2 rows, got {len(rows)}; collect more")
    if not share:
        return rows, rows
    return _split(rows, share, generator)


def _split(rows: Rows, share: float, generator: Generator) -> tuple[Any, Any]:
    if isinstance(rows, Unpaired):
        # Split as one, rows of the shorter side would be in both parts: it starts over.
        source, source_held = held_out(rows.source, share, generator)
        target, target_held = held_out(rows.target, share, generator)
        return Unpaired(source, target), Unpaired(source_held, target_held)
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
