"""What a snapshot of a training holds, checked by type when it is read."""

from collections.abc import Mapping
from dataclasses import asdict
from numbers import Real
from typing import Annotated, Any, TypeAlias, final

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    InstanceOf,
    NonNegativeInt,
    ValidationError,
    model_validator,
)

from rltransfer.errors import ArtifactRefused
from rltransfer.io import FirstError
from rltransfer.resume.reproducibility import computing_versions
from rltransfer_agents.loading.running_statistics import Statistics, statistics_from
from rltransfer_agents.training.evaluations import PolicySnapshot
from rltransfer_agents.training.learner_state import capture
from rltransfer_agents.training.training_setup import TrainingSetup

_STRICT = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


def _numbers(row: NDArray[Any]) -> NDArray[Any]:
    if row.ndim != 1 or row.size == 0 or row.dtype.kind not in "if":
        raise ValueError(f"a row of numbers is wanted, got {row.dtype} {row.shape}")
    return row


def _statistics(value: object) -> Statistics | None:
    return None if value is None else statistics_from(value, "the snapshot")


_Row: TypeAlias = Annotated[InstanceOf[np.ndarray], AfterValidator(_numbers)]


@final
class EvaluationHistory(BaseModel):
    """The evaluations so far."""

    model_config = _STRICT

    steps: list[NonNegativeInt]
    returns: list[_Row]
    lengths: list[_Row]

    @model_validator(mode="after")
    def _is_even(self) -> "EvaluationHistory":
        if not len(self.steps) == len(self.returns) == len(self.lengths):
            raise ValueError("steps, returns and lengths must be of the same number")
        if len({row.shape for row in (*self.returns, *self.lengths)}) > 1:
            raise ValueError("every evaluation must have as many episodes")
        return self


@final
class BestPolicy(BaseModel):
    """The best policy so far: the fields of `PolicySnapshot`."""

    model_config = _STRICT

    weights: dict[str, InstanceOf[torch.Tensor]]
    statistics: Annotated[InstanceOf[Statistics] | None, BeforeValidator(_statistics)]


@final
class TrainingSnapshot(BaseModel):
    """All from which a training that is between two rollouts can go on.

    The rows of a replay buffer are stored apart; they and the inside of the learner's
    state are checked where they are put back.
    """

    model_config = _STRICT

    versions: dict[str, str]
    """Of packages and processor, on which the last bits depend."""
    seconds: Annotated[float, Field(ge=0)]
    """How long the run had trained by then."""
    reproducibility_warnings: list[str]
    """Why the run, if interrupted before, may differ from an uninterrupted one."""
    steps: NonNegativeInt
    learner: dict[str, Any]
    """The learner's state, item by item."""
    evaluations: EvaluationHistory
    best: BestPolicy | None
    log_lengths: dict[str, NonNegativeInt]
    """Bytes of each log file by its name."""
    pending_log: tuple[
        # As they are, because the kind of a number shapes the sums it goes into.
        dict[str, InstanceOf[Real]],
        dict[str, NonNegativeInt],
        dict[str, tuple[str, ...]],
    ]
    """Values, counts and exclusions that wait for the logger's next entry."""

    @model_validator(mode="after")
    def _has_a_best(self) -> "TrainingSnapshot":
        if (self.best is None) != (not self.evaluations.steps):
            raise ValueError("there must be a best agent where there are evaluations")
        return self

    def best_policy(self) -> PolicySnapshot | None:
        """Returns the best policy so far, if there was an evaluation."""
        return None if self.best is None else PolicySnapshot(**vars(self.best))


def take_snapshot(
    setup: TrainingSetup,
    best: PolicySnapshot | None,
    seconds: float,
    reproducibility_warnings: list[str],
) -> dict[str, Any]:
    """Returns the content of a `TrainingSnapshot` as plain data.

    Args:
        setup: a training between two rollouts.
        best: the best policy so far.
        seconds: how long the run has trained.
        reproducibility_warnings: why it may differ from an uninterrupted one.
    """
    logger = setup.learner.logger
    return {
        "versions": computing_versions(),
        "seconds": seconds,
        "reproducibility_warnings": list(reproducibility_warnings),
        "steps": setup.learner.num_timesteps,
        "learner": capture(setup.learner),
        "evaluations": setup.evaluations.history(),
        "best": None if best is None else asdict(best),
        "log_lengths": setup.logs.lengths(),
        "pending_log": (
            dict(logger.name_to_value),
            dict(logger.name_to_count),
            dict(logger.name_to_excluded),
        ),
    }


def snapshot_from(state: Mapping[str, Any]) -> TrainingSnapshot:
    """Returns a snapshot from plain data; refuses one that lacks or adds a part."""
    try:
        return TrainingSnapshot.model_validate(dict(state))
    except ValidationError as fault:
        raise ArtifactRefused(
            f"the snapshot does not hold what one must ({FirstError.of(fault)}); "
            "use the version that wrote it or start a new run"
        ) from fault
