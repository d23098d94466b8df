"""What learning on came to, as plain data: for Python, `--json` and the table."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np
from rich.console import RenderableType

from rltransfer.evaluation import LearningCurve
from rltransfer.report.learning_curve import CurveShown
from rltransfer.report.tables import plain_table

_NOTHING: dict[str, Any] = {
    "winner": None,
    "student": None,
    "student_algo": None,
    "strategy": None,
    "threshold": None,
    "steps_to_threshold": None,
    "alignment_budget": None,
    "learning_steps": 0,
    "learning_verdict": None,
    "curve": [],
    "arms": [],
}


@final
@dataclass(frozen=True)
class ArmRow:
    """One of those that acted: a mapped policy, the student, scratch."""

    name: str
    episodes: int
    """That it acted in while learning."""
    steps: int
    """Target steps of these."""
    final_return: float | None
    """Mean over the counted episodes that the winner was chosen by."""
    final_episodes: int
    mean_return: float | None
    """Over its last counted episodes before that."""
    dropped: str | None
    """Why it was given up, and when; None where it was not."""


@final
@dataclass(frozen=True)
class LearningRecord:
    """Learning on in the target after one alignment."""

    strategy: str
    algorithm: str
    """Of the student."""
    winner: str
    """`mapped`, `student`, `scratch` or `refitted`: which of them came out."""
    verdict: str
    """Who won by which counted returns."""
    student: Path | None
    """The zip of the model that came out; None where a mapped policy did."""
    threshold: float
    """Mean return that counts as solved."""
    alignment_budget: int
    """Target steps that alignment might take."""
    alignment_steps: int
    """Those that it took."""
    learning_steps: int
    """Those that were left, as far as they were taken."""
    curve: tuple[tuple[int, float, str], ...]
    """Target steps, mean return, and who would have come out there."""
    arms: tuple[ArmRow, ...]

    @property
    def steps_to_threshold(self) -> int | None:
        """Target steps at the first of two points running that reach it, if any do."""
        if len(self.curve) < 2:
            return None
        steps, returns, _ = zip(*self.curve, strict=True)
        curve = LearningCurve(np.array(steps, np.int64), np.array(returns, np.float64))
        return curve.steps_to(self.threshold)

    def as_json(self) -> dict[str, Any]:
        """Returns the part of `transfer --json` that is about learning on."""
        return {
            "winner": self.winner,
            "student": None if self.student is None else str(self.student),
            "student_algo": self.algorithm,
            "strategy": self.strategy,
            "threshold": self.threshold,
            "steps_to_threshold": self.steps_to_threshold,
            "alignment_budget": self.alignment_budget,
            "learning_steps": self.learning_steps,
            "learning_verdict": self.verdict,
            "curve": [
                {"target_steps": at, "mean_return": mean, "arm": arm}
                for at, mean, arm in self.curve
            ],
            "arms": [vars(arm) for arm in self.arms],
        }

    def arms_table(self) -> RenderableType:
        """Returns one row for each arm."""
        table = plain_table(
            "learning on", "episodes", "steps", "final comparison", "dropped"
        )
        for arm in self.arms:
            final = "-"
            if arm.final_return is not None:
                final = f"{arm.final_return:.1f} over {arm.final_episodes}"
            out = arm.name == self.winner and arm.dropped is None
            name = f"{arm.name} (came out)" if out else arm.name
            table.add_row(
                name, str(arm.episodes), f"{arm.steps:,}", final, arm.dropped or "no"
            )
        return table

    def facts(self) -> list[tuple[str, object]]:
        """Returns what the table says beside the arms."""
        reached = self.steps_to_threshold
        at = "never" if reached is None else f"after {reached:,} target steps"
        strategy = f"{self.strategy}, student {self.algorithm}"
        taken, share = self.alignment_steps, self.alignment_budget
        aligned = f"alignment {taken:,} of at most {share:,} steps"
        if taken > share:
            more = f"{taken - share:,} more to end a test that was ahead"
            aligned = f"alignment {share:,} steps and {more}"
        return [
            ("strategy", strategy),
            ("shares", f"{aligned}, learning {self.learning_steps:,}"),
            ("threshold", f"{self.threshold:g}: reached {at}, two points running"),
            ("student", self.student),
        ]

    def said(self, zero_shot: float, improved: float, accepted: bool) -> str:
        """Returns the verdict, and where learning on or the transfer did not help, so.

        Args:
            zero_shot: mean return of the mapped policy in fresh episodes.
            improved: that of what came out, in the same.
            accepted: whether the mapping was.
        """
        said = f"learned on: {self.verdict}"
        if self.winner == "scratch" and accepted and self.strategy != "scratch":
            said += "; the mapping was of no help beyond the rows that alignment saw"
        if self.winner != "mapped" and accepted and improved <= zero_shot:
            said += "; in the fresh episodes it earns no more than zero-shot"
        return said

    def shown(self, marks: Mapping[str, float]) -> CurveShown:
        """Returns the curve as the picture draws it.

        Args:
            marks: returns to compare with, by name.
        """
        return CurveShown(self.curve, self.threshold, self.alignment_steps, marks)


def record_part(record: LearningRecord | None) -> dict[str, Any]:
    """Returns the keys of `--json`, which are there without learning on as well."""
    return dict(_NOTHING) if record is None else record.as_json()
