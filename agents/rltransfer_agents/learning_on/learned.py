"""What comes of learning on, and who is told on the way."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, final, runtime_checkable

import numpy as np

from rltransfer.domain import Policy
from rltransfer_agents.learning_on.guard import Answer, Arm, ArmName
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


@final
@dataclass(frozen=True, eq=False)
class Contender:
    """What may be the result: an arm with one of its policies."""

    arm: Arm
    answer: Answer
    returns: tuple[float, ...] = ()
    """In the last comparison, in which all begin alike."""

    @property
    def known(self) -> list[float]:
        """What its worth is told by: the last comparison, if that is enough."""
        few = len(self.returns) < _SURE
        return [*(self.answer.returns if few else ()), *self.returns]


def contenders(arms: Sequence[Arm]) -> list[Contender]:
    """Returns what takes part in the last comparison, the mapped policy first.

    Of the learner that earns most, its surest weights beside its newest good ones.
    """
    found = [Contender(arm, arm.answer) for arm in arms]
    best = max(arms, key=lambda arm: arm.surest.at_least)
    if best.surest is not best.answer:
        found.append(Contender(best, best.surest))
    return found


def compared(known: Sequence[Contender]) -> Contender:
    """Returns the one that earns most; of equal ones the first."""
    common = min(len(one.returns) for one in known)

    def worth(one: Contender) -> float:
        own = one.returns[:common] if common >= _SURE else one.known
        return float(np.mean(own)) if own else -np.inf

    return max(known, key=worth)


def verdict(winner: Contender, known: Sequence[Contender]) -> str:
    """Returns in one sentence who is the result, and by which counted returns."""
    if {one.arm.name for one in known} == {"scratch"}:
        alone = "scratch learned alone: there was no mapped policy to learn on from"
        dropped = winner.arm.dropped
        return alone if dropped is None else f"{alone}; it ended early: {dropped}"
    told = []
    for one in known:
        other = one.answer is not one.arm.answer
        count = len(one.known)
        if count:
            name = f"earlier {one.arm.name}" if other else one.arm.name
            episodes = f"{count} episode{'s' if count > 1 else ''}"
            told.append(f"{name} {np.mean(one.known):.1f} ({episodes})")
    earned = ", ".join(told)
    if winner.arm.name == "mapped":
        return f"learning on brought nothing better than the mapped policy: {earned}"
    return f"{winner.arm.name} is the result, by its counted returns: {earned}"
