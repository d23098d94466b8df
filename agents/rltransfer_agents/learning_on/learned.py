"""What comes of learning on, and who is told on the way."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, final, runtime_checkable

import numpy as np

from rltransfer.alignment import AcceptanceTest
from rltransfer.domain import Policy
from rltransfer_agents.learning_on.guard import Arm, ArmName
from rltransfer_agents.learning_on.learner import Learner


@final
@dataclass(frozen=True)
class CurvePoint:
    """What the answer was worth at some step, in episodes that do not count."""

    target_steps: int
    arm: str
    """Who would have been the answer."""
    returns: tuple[float, ...]
    lengths: tuple[int, ...]
    """Steps of the episodes."""

    @property
    def mean_return(self) -> float:
        """Mean over the episodes."""
        return float(np.mean(self.returns))


@final
@dataclass(frozen=True)
class ArmRecord:
    """How one arm did."""

    name: str
    episodes: int
    steps: int
    mean_return: float | None
    """Over its last counted episodes before the last comparison, those of alignment's
    test included."""
    final_returns: tuple[float, ...]
    dropped: str | None
    """Why it was dropped, if it was."""

    @classmethod
    def of(cls, arm: Arm, final_returns: tuple[float, ...]) -> "ArmRecord":
        """Returns the record of an arm, with what it earned in the last comparison."""
        return cls(
            name=arm.name,
            episodes=arm.episodes,
            steps=arm.steps,
            mean_return=arm.mean if arm.judged else None,
            final_returns=final_returns,
            dropped=arm.dropped,
        )


@final
@dataclass(frozen=True, eq=False)
class LearnedOn:
    """What came of learning on."""

    winner: ArmName
    policy: Policy
    learner: Learner | None
    """None where a mapped policy won."""
    curve: tuple[CurvePoint, ...]
    arms: tuple[ArmRecord, ...]
    verdict: str
    acceptance: AcceptanceTest | None = None
    """The mapped policy's, as far as it went on here; None where nothing was tested."""


@runtime_checkable
class LearningWatcher(Protocol):
    """Is called while learning goes on: progress bars, logs."""

    def learned(self, scalars: Mapping[str, float], used: int) -> None:
        """An episode was learned from; `used` target steps are spent so far."""

    def evaluated(self, point: CurvePoint) -> None:
        """A point of the curve was measured."""
