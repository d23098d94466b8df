"""What a snapshot of a training holds, checked by type when it is read."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
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

from rltransfer.domain.replay_log import surroundings
from rltransfer.errors import ArtifactRefused
from rltransfer_agents.loading.running_statistics import statistics_from
from rltransfer_agents.training.evaluations import PolicySnapshot
from rltransfer_agents.training.learner_state import capture
from rltransfer_agents.training.training_parts import Parts

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
    reproducibility_warnings: list[str]
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


@final
@dataclass(frozen=True, eq=False)
class Memory:
    """A snapshot, read."""

    surroundings: dict[str, str]
    """Versions and processor, on which the last bits depend."""
    seconds: float
    """How long the run had trained by then."""
    reproducibility_warnings: list[str]
    """Why the run, interrupted before, may already have gone another way."""
    steps: int
    learner: dict[str, Any]
    evaluations: dict[str, list[Any]]
    best: PolicySnapshot | None
    log_lengths: dict[str, int]
    pending: tuple[dict[str, Any], dict[str, Any], dict[str, Any]]
    """Values of the last update that wait for the next entry of the log."""


def remember(
    parts: Parts,
    best: PolicySnapshot | None,
    seconds: float,
    reproducibility_warnings: list[str],
) -> dict[str, Any]:
    """Returns all from which a training that stands between rollouts can go on.

    Args:
        parts: of the training.
        best: the best agent so far.
        seconds: how long the run has trained.
        reproducibility_warnings: why the run may differ from an uninterrupted one.
    """
    logger = parts.learner.logger
    return {
        "surroundings": surroundings(),
        "seconds": seconds,
        "reproducibility_warnings": list(reproducibility_warnings),
        "steps": parts.learner.num_timesteps,
        "learner": capture(parts.learner),
        "evaluations": parts.evaluations.history(),
        "best": None if best is None else asdict(best),
        "log_lengths": parts.logs.lengths(),
        "pending": (
            dict(logger.name_to_value),
            dict(logger.name_to_count),
            dict(logger.name_to_excluded),
        ),
    }


def memory_from(state: Mapping[str, Any]) -> Memory:
    """Returns what was remembered; refuses what no snapshot holds."""
    sealed = sealed_from(state)
    parts = {
        **vars(sealed),
        "evaluations": vars(sealed.evaluations),
        "best": None if sealed.best is None else _kept(sealed.best),
    }
    return Memory(**parts)


def _kept(best: SealedBest) -> PolicySnapshot:
    seen = best.statistics
    return PolicySnapshot(
        best.weights, None if seen is None else statistics_from(seen, "the snapshot")
    )
