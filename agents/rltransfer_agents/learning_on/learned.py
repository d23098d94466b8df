"""What comes of learning on, and who is told on the way."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, final, runtime_checkable

import numpy as np

from rltransfer.domain import Policy
from rltransfer_agents.learning_on.guard import Arm, ArmName
from rltransfer_agents.learning_on.learner import Learner


@final
@dataclass(frozen=True)
class CurvePoint:
    """What the answer was worth at some step, in episodes that do not count."""

    target_steps: int
    mean_return: float
    arm: str
    """Who would have been the answer."""


@final
@dataclass(frozen=True)
class ArmRecord:
    """How one arm did."""

    name: str
    episodes: int
    steps: int
    mean_return: float | None
    """Over its last counted episodes before the last comparison."""
    final_returns: tuple[float, ...]
    dropped: str | None
    """Why it was dropped, if it was."""


@final
@dataclass(frozen=True, eq=False)
class LearnedOn:
    """What came of learning on."""

    winner: ArmName
    policy: Policy
    learner: Learner | None
    """None where the mapped policy won."""
    curve: tuple[CurvePoint, ...]
    arms: tuple[ArmRecord, ...]
    verdict: str


@runtime_checkable
class LearningWatcher(Protocol):
    """Is called while learning goes on: progress bars, logs."""

    def learned(self, scalars: Mapping[str, float], used: int) -> None:
        """An episode was learned from; `used` target steps are spent so far."""

    def evaluated(self, point: CurvePoint) -> None:
        """A point of the curve was measured."""


_SURE = 3
"""Episodes of each in the last comparison that are enough by themselves."""


def compared(arms: Sequence[Arm], finals: Mapping[str, Sequence[float]]) -> Arm:
    """Returns the arm that earns most; of equal ones the first.

    Args:
        arms: the mapped policy first, if there is one.
        finals: returns of each in the last comparison, which began alike. Where they
            are too few, what the arms earned before counts too.
    """
    common = min(len(finals[arm.name]) for arm in arms)

    def worth(arm: Arm) -> float:
        own = list(finals[arm.name])
        if common >= _SURE:
            return float(np.mean(own[:common]))
        known = [*arm.answer.returns, *own]
        return float(np.mean(known)) if known else -np.inf

    return max(arms, key=worth)


def verdict(
    winner: Arm, arms: Sequence[Arm], finals: Mapping[str, Sequence[float]]
) -> str:
    """Returns in one sentence who is the result, and by which counted returns."""
    if len(arms) == 1:
        alone = "scratch learned alone: there was no mapped policy to learn on from"
        dropped = arms[0].dropped
        return alone if dropped is None else f"{alone}; it ended early: {dropped}"
    told = []
    for arm in arms:
        before, last = arm.answer.returns, finals[arm.name]
        known = last if len(last) >= _SURE else [*before, *last]
        if known:
            count = f"{len(known)} episode{'s' if len(known) > 1 else ''}"
            told.append(f"{arm.name} {np.mean(known):.1f} ({count})")
    earned = ", ".join(told)
    if winner.name == "mapped":
        return f"learning on brought nothing better than the mapped policy: {earned}"
    return f"{winner.name} is the result, by its counted returns: {earned}"
