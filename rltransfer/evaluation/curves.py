"""Metrics of transfer from learning curves, after Taylor & Stone (JMLR 10, 2009)."""

import math
from dataclasses import dataclass
from typing import final

import numpy as np
from jaxtyping import Float, Int


@final
@dataclass(frozen=True, eq=False)
class LearningCurve:
    """Mean return of a learner at some of its steps in the target.

    The first point is measured before anything was learned by reward. Steps that the
    transfer itself took in the target come before it, so such a curve starts later.
    """

    steps: Int[np.ndarray, " point"]
    returns: Float[np.ndarray, " point"]

    def __post_init__(self) -> None:
        if len(self.steps) < 2 or len(self.steps) != len(self.returns):
            raise ValueError(
                "a curve needs two points or more and one return for each, "
                f"got {len(self.steps)} steps and {len(self.returns)} returns"
            )
        if self.steps[0] < 0 or (np.diff(self.steps) <= 0).any():
            raise ValueError(f"steps must rise from 0 or later, got {self.steps}")
        if not np.isfinite(self.returns).all():
            raise ValueError(f"returns must be finite, got {self.returns}")

    @property
    def start(self) -> float:
        """Mean return before anything was learned."""
        return float(self.returns[0])

    @property
    def asymptote(self) -> float:
        """Mean return over the last tenth of the points, and at least the last."""
        return float(self.returns[-max(1, len(self.returns) // 10) :].mean())

    def steps_to(self, threshold: float, running: int = 2) -> int | None:
        """Returns when the curve first reached `threshold`; None if it never did.

        Args:
            threshold: a mean return.
            running: how many points in a row must reach it; the first one counts. A
                single point is a lucky evaluation as often as not.
        """
        reached = self.returns >= threshold
        for first in range(len(reached) - running + 1):
            if reached[first : first + running].all():
                return int(self.steps[first])
        return None

    def normalised(self, random: float, best: float) -> "LearningCurve":
        """Returns the curve with `random` as 0 and `best` as 1.

        Args:
            random: mean return of random actions in the same environment.
            best: what learning from scratch comes to, more than `random`.
        """
        return LearningCurve(self.steps, normalised(self.returns, random, best))

    def lowest(self, until: int) -> float:
        """Returns the lowest return of the points up to `until`, and of the first."""
        return float(self.returns[: max(1, int((self.steps <= until).sum()))].min())

    def area(self, until: int, floor: float = 0.0) -> float:
        """Returns the area between the curve and `floor` from step 0 to `until`.

        Between points the curve is straight. Before its first point it is at
        `floor`: steps spent on anything but learning earn nothing. With the return of
        random actions as `floor`, they count as acting at random.
        """
        inside = self.steps < until
        steps = np.append(self.steps[inside], until)
        end = np.interp(until, self.steps, self.returns)
        heights = np.append(self.returns[inside], end) - floor
        return float(np.trapezoid(heights, steps)) if inside.any() else 0.0


def normalised(
    returns: Float[np.ndarray, " point"], random: float, best: float
) -> Float[np.ndarray, " point"]:
    """Returns the share of the way from `random` to `best`, for each return."""
    if not best > random:
        raise ValueError(
            f"the best return must be above that of random actions, got {best:g} and "
            f"{random:g}"
        )
    return (returns - random) / (best - random)


@final
@dataclass(frozen=True)
class TransferMetrics:
    """A learner that started from the mapping, compared with one from scratch."""

    jumpstart: float
    """Gain in mean return before anything was learned."""
    asymptotic_gain: float
    """Gain in mean return at the end of learning."""
    steps_to_threshold: int | None
    scratch_steps_to_threshold: int | None
    transfer_ratio: float
    """Gain in area under the curve, as a share of the area without transfer."""

    @property
    def time_ratio(self) -> float | None:
        """Steps to the threshold as a share of scratch's, if both reached it."""
        if self.steps_to_threshold is None or not self.scratch_steps_to_threshold:
            return None
        return self.steps_to_threshold / self.scratch_steps_to_threshold


def transfer_metrics(
    transferred: LearningCurve,
    scratch: LearningCurve,
    threshold: float,
    floor: float = 0.0,
) -> TransferMetrics:
    """Returns the metrics of Taylor & Stone (2009, section 2.1).

    Args:
        transferred: learning that started from the mapping.
        scratch: learning that did not.
        threshold: mean return that counts as solved.
        floor: return that counts as nothing, such as that of random actions. The ratio
            of areas means nothing without one where returns can be negative; it is NaN
            where scratch stayed at the floor or below.
    """
    until = int(min(transferred.steps[-1], scratch.steps[-1]))
    without = scratch.area(until, floor)
    gain = transferred.area(until, floor) - without
    return TransferMetrics(
        jumpstart=transferred.start - scratch.start,
        asymptotic_gain=transferred.asymptote - scratch.asymptote,
        steps_to_threshold=transferred.steps_to(threshold),
        scratch_steps_to_threshold=scratch.steps_to(threshold),
        transfer_ratio=gain / without if without > 0 else math.nan,
    )
