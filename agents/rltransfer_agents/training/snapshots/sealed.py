"""What a snapshot holds, by type: whoever can write a file can also seal it."""

from collections.abc import Mapping
from numbers import Real
from typing import Annotated, Any, TypeAlias, final

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    InstanceOf,
    NonNegativeInt,
    ValidationError,
    model_validator,
)

from rltransfer.errors import ArtifactRefused

_STRICT = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


def _numbers(row: NDArray[Any]) -> NDArray[Any]:
    if row.ndim != 1 or row.size == 0 or row.dtype.kind not in "if":
        raise ValueError(f"a row of numbers is wanted, got {row.dtype} {row.shape}")
    return row


_Row: TypeAlias = Annotated[InstanceOf[np.ndarray], AfterValidator(_numbers)]


@final
class SealedHistory(BaseModel):
    """The evaluations so far."""

    model_config = _STRICT

    steps: list[NonNegativeInt]
    returns: list[_Row]
    lengths: list[_Row]

    @model_validator(mode="after")
    def _is_even(self) -> "SealedHistory":
        if not len(self.steps) == len(self.returns) == len(self.lengths):
            raise ValueError("steps, returns and lengths must be of the same number")
        if len({row.shape for row in (*self.returns, *self.lengths)}) > 1:
            raise ValueError("every evaluation must have as many episodes")
        return self


@final
class SealedBest(BaseModel):
    """The best agent so far."""

    model_config = _STRICT

    weights: dict[str, InstanceOf[torch.Tensor]]
    statistics: dict[str, Any] | None


@final
class Sealed(BaseModel):
    """A snapshot, but for the rows of its buffer and the inside of its learner.

    Both are checked where they are put back.
    """

    model_config = _STRICT

    surroundings: dict[str, str]
    seconds: Annotated[float, Field(ge=0)]
    doubts: list[str]
    steps: NonNegativeInt
    learner: dict[str, Any]
    evaluations: SealedHistory
    best: SealedBest | None
    log_lengths: dict[str, NonNegativeInt]
    pending: tuple[
        # As they are, because the kind of a number shapes the sums it goes into.
        dict[str, InstanceOf[Real]],
        dict[str, NonNegativeInt],
        dict[str, tuple[str, ...]],
    ]

    @model_validator(mode="after")
    def _has_a_best(self) -> "Sealed":
        if (self.best is None) != (not self.evaluations.steps):
            raise ValueError("there must be a best agent where there are evaluations")
        return self


def sealed_from(state: Mapping[str, Any]) -> Sealed:
    """Returns a snapshot, checked; refuses one that lacks a part or has another."""
    try:
        return Sealed.model_validate(dict(state))
    except ValidationError as fault:
        first = fault.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "all of it"
        raise ArtifactRefused(
            f"the snapshot does not hold what one must ({where!r}: {first['msg']}); "
            "use the version that wrote it or start a new run"
        ) from fault
