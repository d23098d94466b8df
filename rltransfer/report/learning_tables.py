"""How strategies learned on: one row for each pair and strategy, and one over all.

Returns are normalised: random actions are 0, what scratch comes to is 1. All curves are
taken to the end of the pair's budget; steps before the first point count as random.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from jaxtyping import Float

from rltransfer.evaluation import (
    Censored,
    Estimate,
    LearningCurve,
    aggregate_iqm,
    censored_iqm,
    censored_median,
    harm_rate,
    probability_of_improvement,
)
from rltransfer.report.tables import Rows
from rltransfer_envs.pairs import Learning

BASELINE = "scratch"
_ON_THE_WAY = (0.5, 0.75, 1.0)
"""Shares of the way from random actions to the threshold."""
_BEGINNING = 0.1
"""Share of the budget after alignment in which nothing should be lost."""
_WORTH = 0.1
"""Normalised return from which there is something to lose."""
_SEED = 0
"""Of resampling."""


@final
@dataclass(frozen=True, eq=False)
class LearningFigures:
    """The runs of one strategy on one pair; scratch's of the same seeds beside them."""

    pair: str
    strategy: str
    learning: Learning
    budget: int
    curves: Mapping[int, LearningCurve]
    """Normalised, by seed."""
    scratch: Mapping[int, LearningCurve]
    """Likewise; empty where it was not run."""
    gains: Float[np.ndarray, " run"]
    """Normalised return of the result above the zero-shot policy's, where both are."""
    seconds: float
    """Median."""
    arms: Mapping[int, Mapping[int, str]]
    """By seed and step, who would have been the answer there."""

    @property
    def areas(self) -> Float[np.ndarray, " run"]:
        """Mean normalised return over the budget, for each seed."""
        return _areas(list(self.curves.values()), self.budget)

    @property
    def paired_areas(
        self,
    ) -> tuple[Float[np.ndarray, " pair"], Float[np.ndarray, " pair"]]:
        """Areas of the seeds that scratch had as well, and scratch's."""
        both = [seed for seed in self.curves if seed in self.scratch]
        ours, theirs = (
            _areas([curves[seed] for seed in both], self.budget)
            for curves in (self.curves, self.scratch)
        )
        return ours, theirs

    def steps_to(self, share: float = 1.0) -> list[Censored]:
        """Returns for each seed when it had come that share of the way."""
        return [self._reached(curve, share) for curve in self.curves.values()]

    @property
    def time_ratios(self) -> list[Censored]:
        """Steps to the threshold over the median of scratch's; none without scratch."""
        if not self.scratch:
            return []
        needed = [self._reached(curve, 1.0) for curve in self.scratch.values()]
        return [one.over(censored_median(needed)) for one in self.steps_to()]

    @property
    def reached_by(self) -> Counter[str]:
        """How often who reached the threshold."""
        runs = zip(self.curves, self.steps_to(), strict=True)
        return Counter(
            self.arms[seed][int(at.low)] for seed, at in runs if at.low == at.high
        )

    def _reached(self, curve: LearningCurve, share: float) -> Censored:
        known = self.learning
        wanted = share * (known.threshold - known.random) / (known.final - known.random)
        # Curves and threshold are normalised by the same division, rounding apart.
        return Censored.of(curve.steps_to(wanted - 1e-9), self.budget)

    def row(self) -> dict[str, str]:
        """Returns the cells of the row."""
        curves = list(self.curves.values())
        starts = np.array([curve.start for curve in curves])
        lowest = [
            curve.lowest(int(curve.steps[0] + _BEGINNING * self.budget))
            for curve in curves
        ]
        half, most, whole = (
            str(censored_median(self.steps_to(share))) for share in _ON_THE_WAY
        )
        ratios, (ours, theirs) = self.time_ratios, self.paired_areas
        return {
            "pair": self.pair,
            "strategy": self.strategy,
            "seeds": str(len(curves)),
            "jumpstart": f"{np.median(starts):.2f}",
            "lowest": f"{np.median(lowest):.2f}",
            "of jumpstart": _share(np.array(lowest), starts),
            "asymptote": f"{np.median([curve.asymptote for curve in curves]):.2f}",
            "area": f"{np.median(self.areas):.2f}",
            "steps to 50 %": half,
            "75 %": most,
            "threshold": whole,
            "reached by": ", ".join(
                f"{arm} {times}" for arm, times in self.reached_by.most_common()
            ),
            "of scratch's": str(censored_iqm(ratios)) if ratios else "",
            "area / scratch's": _ratio(ours, theirs),
            "harm": f"{(ours < theirs).sum()}/{len(ours)}" if len(ours) else "",
            "above zero-shot": _gain(self.gains),
            "seconds": f"{self.seconds:.0f}",
        }


def figures_of(
    pair: str,
    strategy: str,
    learning: Learning | None,
    budget: int,
    runs: Mapping[int, Mapping[str, Any]],
    scratch: Mapping[int, Mapping[str, Any]] | None,
) -> LearningFigures:
    """Returns the figures of what jobs left.

    Args:
        pair: its name.
        strategy: likewise.
        learning: of the pair; it must have one.
        budget: target steps at which curves end.
        runs: records by seed.
        scratch: those of learning from scratch, if it was run.
    """
    if learning is None:
        raise ValueError(f"{pair} is not learned on")
    scale = learning.random, learning.final

    def curves(records: Mapping[int, Mapping[str, Any]]) -> dict[int, LearningCurve]:
        found = {seed: curve_of(record["curve"]) for seed, record in records.items()}
        return {seed: curve.normalised(*scale) for seed, curve in found.items()}

    gains = [
        run["improved"]["mean_return"] - run["zero_shot"]["mean_return"]
        for run in runs.values()
        if run.get("improved") is not None
    ]
    return LearningFigures(
        pair,
        strategy,
        learning,
        budget,
        curves(runs),
        curves(scratch or {}),
        np.array(gains, np.float64) / (learning.final - learning.random),
        float(np.median([run["seconds"] for run in runs.values()])),
        {
            seed: {point["target_steps"]: point["arm"] for point in run["curve"]}
            for seed, run in runs.items()
        },
    )


def curve_of(points: Sequence[Mapping[str, Any]]) -> LearningCurve:
    """Returns the learning curve of a record; of two points at a step the later one."""
    returns = {point["target_steps"]: point["mean_return"] for point in points}
    steps = sorted(returns)
    return LearningCurve(
        np.array(steps, np.int64), np.array([returns[at] for at in steps], np.float64)
    )


def aggregated(figures: Sequence[LearningFigures]) -> Rows:
    """Returns one row for each strategy: interquartile means over pairs and seeds.

    Intervals are 95 %, of the stratified bootstrap.
    """
    strategies = dict.fromkeys(one.strategy for one in figures)
    return [
        _over_all(name, [one for one in figures if one.strategy == name])
        for name in strategies
    ]


def improvements(figures: Sequence[LearningFigures]) -> dict[str, Estimate]:
    """Returns how likely a run of each strategy has a larger area than scratch's."""
    return {
        name: probability_of_improvement(*areas, _SEED)
        for name, areas in _paired(figures).items()
    }


def harms(figures: Sequence[LearningFigures]) -> dict[str, Estimate]:
    """Returns the share of runs of each strategy with less area than scratch's."""
    return {name: harm_rate(*areas, _SEED) for name, areas in _paired(figures).items()}


def areas_over_all(figures: Sequence[LearningFigures]) -> dict[str, Estimate]:
    """Returns the interquartile mean of areas of each strategy."""
    areas: dict[str, list[Float[np.ndarray, " run"]]] = {}
    for one in figures:
        areas.setdefault(one.strategy, []).append(one.areas)
    return {name: aggregate_iqm(rows, _SEED) for name, rows in areas.items()}


def _paired(
    figures: Sequence[LearningFigures],
) -> dict[str, tuple[list[np.ndarray], list[np.ndarray]]]:
    """Returns areas and scratch's by strategy, of the pairs that both were run on."""
    found: dict[str, tuple[list[np.ndarray], list[np.ndarray]]] = {}
    for one in figures:
        ours, theirs = one.paired_areas
        if one.strategy != BASELINE and len(ours):
            rows = found.setdefault(one.strategy, ([], []))
            rows[0].append(ours)
            rows[1].append(theirs)
    return found


def _over_all(name: str, figures: Sequence[LearningFigures]) -> dict[str, str]:
    ends = [
        np.array([curve.asymptote for curve in one.curves.values()]) for one in figures
    ]
    ratios = [ratio for one in figures for ratio in one.time_ratios]
    better, harm = improvements(figures).get(name), harms(figures).get(name)
    return {
        "strategy": name,
        "pairs": str(len(figures)),
        "area, IQM": f"{areas_over_all(figures)[name]:.2f}",
        "asymptote, IQM": f"{aggregate_iqm(ends, _SEED):.2f}",
        "steps / scratch's, IQM": str(censored_iqm(ratios)) if ratios else "",
        "better than scratch": "" if better is None else f"{better:.2f}",
        "harm": "" if harm is None else f"{harm:.2f}",
    }


def _areas(curves: Sequence[LearningCurve], budget: int) -> Float[np.ndarray, " run"]:
    return np.array([curve.area(budget) / budget for curve in curves], np.float64)


def _ratio(ours: Float[np.ndarray, " run"], theirs: Float[np.ndarray, " run"]) -> str:
    ratio = ours.mean() / theirs.mean() if len(ours) and theirs.mean() > 0 else math.nan
    return f"{ratio:.2f}" if math.isfinite(ratio) else ""


def _share(lowest: Float[np.ndarray, " run"], starts: Float[np.ndarray, " run"]) -> str:
    """Returns the median share; of starts near random actions it would mean nothing."""
    worth = starts > _WORTH
    return f"{np.median(lowest[worth] / starts[worth]):.2f}" if worth.any() else ""


def _gain(gains: Float[np.ndarray, " run"]) -> str:
    return f"{gains.mean():+.2f}, least {gains.min():+.2f}" if len(gains) else ""
