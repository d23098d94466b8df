"""A benchmark as a page: which goals were reached and what learns better, first."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, final

import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from rltransfer.evaluation import Estimate
from rltransfer.report.benchmark_picture import (
    SUMMARIES,
    draw_curves,
    draw_estimates,
)
from rltransfer.report.html_page import figure_svg, rendered
from rltransfer.report.learning_tables import LearningFigures, harms, improvements
from rltransfer.report.tables import Rows

_LEAST, _MOST = -0.5, 2.0
"""Shares of home that are drawn; one very bad run would flatten all others."""


@final
@dataclass(frozen=True, eq=False)
class BenchmarkPage:
    """What a page about a benchmark says."""

    pairs: Sequence[str]
    """Names of all that were asked for, finished or not."""
    zero_shot: Rows
    """One row for each pair and strategy that has a finished job."""
    zero_shot_runs: Mapping[str, Sequence[Mapping[str, Any]]]
    """What `transfer --json` printed, by pair, for those whose rewards compare."""
    learning: Sequence[LearningFigures]
    tables: Mapping[str, Rows]
    seeds: Sequence[int]
    failed: Mapping[str, str]
    """Why, by the name of the job."""
    notes: Sequence[str]
    command: str
    facts: Mapping[str, str]

    def html(self) -> bytes:
        """Returns the page."""
        pairs = self.pairs
        kind, word = self._verdict()
        failed = [f"{name} failed: {why}" for name, why in self.failed.items()]
        return rendered(
            "benchmark.html",
            page={
                "title": f"Benchmark of {len(pairs)} pair{'s' * (len(pairs) != 1)}",
                "kind": kind,
                "word": word,
                "reasons": self._reasons() or ["No job was finished."],
                "numbers": {
                    "pairs": len(pairs),
                    "seeds": len(self.seeds),
                    "failed jobs": len(self.failed),
                },
                "notes": [*self.notes, *failed],
                "zero_shot": self._zero_shot() if self.zero_shot_runs else None,
                "edges": (_LEAST, _MOST),
                "summaries": self._summaries() if self.learning else (),
                "curves": self._curves(),
                "tables": self.tables,
                "command": self.command,
                "facts": self.facts,
            },
        )

    @property
    def _goals(self) -> dict[str, bool]:
        # Of some pairs nothing is asked.
        asked = {
            row["pair"]: row["reached"]
            for row in self.zero_shot
            if row.get("strategy", "zero-shot") == "zero-shot"
        }
        return {pair: said == "yes" for pair, said in asked.items() if said}

    def _verdict(self) -> tuple[str, str]:
        goals = self._goals
        if goals:
            reached = sum(goals.values())
            kind = self._good if reached == len(goals) else "bad"
            return kind, f"{reached} of {len(goals)} pairs reached their goals"
        better = {
            name: one.low > 0.5 for name, one in improvements(self.learning).items()
        }
        if not better:
            return "unproved", "Nothing was compared"
        names = [name for name, wins in better.items() if wins]
        if names:
            return self._good, f"Better than from scratch: {', '.join(names)}"
        return "unproved", "Nothing is better than from scratch with confidence"

    @property
    def _good(self) -> str:
        # What failed might have missed its goal.
        return "unproved" if self.failed else "good"

    def _reasons(self) -> list[str]:
        reasons = []
        if self.failed:
            many = len(self.failed) != 1
            jobs, them = ("jobs", "them") if many else ("job", "it")
            reasons.append(
                f"{len(self.failed)} {jobs} failed; nothing below counts {them}."
            )
        missed = [pair for pair, reached in self._goals.items() if not reached]
        if missed:
            reasons.append(f"Missed: {', '.join(missed)}.")
        if self._goals and not missed and not self.failed:
            reasons.append("Every pair that has a goal reached it, medians over seeds.")
        lost = harms(self.learning)
        for name, better in improvements(self.learning).items():
            reasons.append(
                f"{name}: a run of it learns better than one from scratch with "
                f"probability {better:.2f}; it harms {lost[name]:.2f} of the runs."
            )
        return reasons

    def _zero_shot(self) -> Markup:
        runs = self.zero_shot_runs

        def draw(figure: Figure) -> None:
            _draw_shares(figure.add_subplot(), runs)

        label = f"Share of home of {len(runs)} pairs"
        return figure_svg("shares", label, draw, 1.0 + 0.34 * len(runs), 4.6)

    @property
    def _colours(self) -> dict[str, str]:
        names = dict.fromkeys(one.strategy for one in self.learning)
        return {name: f"C{place % 10}" for place, name in enumerate(names)}

    def _summaries(self) -> list[Markup]:
        found = []
        for title, summary in SUMMARIES:
            estimates = summary(self.learning)
            if not estimates:
                continue

            told = ", ".join(f"{name} {one:.2f}" for name, one in estimates.items())
            height = 0.9 + 0.35 * len(estimates)
            draw = partial(self._draw_summary, title=title, estimates=estimates)
            found.append(figure_svg(title, f"{title}: {told}", draw, height))
        return found

    def _draw_summary(
        self, figure: Figure, *, title: str, estimates: Mapping[str, Estimate]
    ) -> None:
        draw_estimates(figure.add_subplot(), title, estimates, self._colours)

    def _curves(self) -> list[Markup]:
        def draw(figure: Figure, of: Sequence[LearningFigures]) -> None:
            draw_curves(figure.add_subplot(), of, self._colours)

        by_pair: dict[str, list[LearningFigures]] = {}
        for one in self.learning:
            by_pair.setdefault(one.pair, []).append(one)
        return [
            figure_svg(
                f"curve {pair}", f"Learning curves of {pair}", partial(draw, of=of), 3.2
            )
            for pair, of in by_pair.items()
        ]


def _draw_shares(axes: Axes, runs: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
    for place, records in enumerate(runs.values()):
        random, home, earned = (
            np.array([one[name]["mean_return"] for one in records], np.float64)
            for name in ("random", "source_at_home", "zero_shot")
        )
        way = np.maximum(home - random, np.finfo(np.float64).tiny)
        shares = np.clip((earned - random) / way, _LEAST, _MOST)
        axes.vlines(float(np.median(shares)), place - 0.3, place + 0.3, color="black")
        for share, record in zip(shares, records, strict=True):
            accepted = record["accepted"]
            colour = "tab:green" if accepted else "tab:red"
            style = "full" if accepted else "none"
            axes.plot(share, place, "o", color=colour, fillstyle=style, alpha=0.7)
    for share in (0, 1):
        axes.axvline(share, color="black", linewidth=0.8, linestyle=":")
    axes.set_yticks(range(len(runs)), list(runs))
    axes.set_ylim(len(runs) - 0.4, -0.6)
    axes.set_xlabel("share of home: 0 random, 1 the source at home")
    axes.grid(alpha=0.3, axis="x")
