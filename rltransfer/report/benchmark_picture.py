"""A benchmark on one page: curves with intervals per pair, and figures over all."""

import io
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from rltransfer.evaluation import Estimate, LearningCurve, aggregate_iqm
from rltransfer.io import write_atomically
from rltransfer.report.learning_tables import (
    LearningFigures,
    areas_over_all,
    harms,
    improvements,
)

_DOTS_PER_INCH = 110
_PANEL = (4.6, 3.2)
"""Inches."""
_COLUMNS = 3
_POINTS = 51
_DRAWS = 500
SUMMARIES: tuple[
    tuple[str, Callable[[Sequence[LearningFigures]], Mapping[str, Estimate]]], ...
] = (
    ("Area under the curve, IQM", areas_over_all),
    ("Probability of improvement over scratch", improvements),
    ("Harm rate: area below scratch's", harms),
)


def draw_benchmark(path: Path, figures: Sequence[LearningFigures]) -> None:
    """Draws a panel for each pair and three over all, and writes a PNG file.

    Args:
        path: of the file.
        figures: one for each pair and strategy; at least one.
    """
    pairs = list(dict.fromkeys(one.pair for one in figures))
    names = list(dict.fromkeys(one.strategy for one in figures))
    colours = {name: f"C{place % 10}" for place, name in enumerate(names)}
    rows = -(-len(pairs) // _COLUMNS) + 1
    width, height = _PANEL
    figure = Figure(
        figsize=(width * _COLUMNS, height * rows),
        dpi=_DOTS_PER_INCH,
        layout="constrained",
    )
    grid = figure.add_gridspec(rows, _COLUMNS)
    for place, pair in enumerate(pairs):
        axes = figure.add_subplot(grid[divmod(place, _COLUMNS)])
        draw_curves(axes, [one for one in figures if one.pair == pair], colours)
    for place, (title, summary) in enumerate(SUMMARIES):
        axes = figure.add_subplot(grid[rows - 1, place])
        draw_estimates(axes, title, summary(figures), colours)
    drawn = io.BytesIO()
    # Without the version of the program, equal results are equal files.
    figure.savefig(drawn, format="png", metadata={"Software": None})
    write_atomically(path, drawn.getvalue())


def draw_curves(
    axes: Axes, figures: Sequence[LearningFigures], colours: Mapping[str, str]
) -> None:
    """Draws the interquartile mean over seeds, with its 95 % interval.

    Args:
        axes: where.
        figures: of one pair.
        colours: by strategy.
    """
    for one in figures:
        steps = np.linspace(0, one.budget, _POINTS)
        heights = np.array([height_at(curve, steps) for curve in one.curves.values()])
        points = [aggregate_iqm([column], seed=0, draws=_DRAWS) for column in heights.T]
        colour = colours[one.strategy]
        axes.plot(
            steps, [point.value for point in points], color=colour, label=one.strategy
        )
        axes.fill_between(
            steps,
            [point.low for point in points],
            [point.high for point in points],
            color=colour,
            alpha=0.2,
            linewidth=0,
        )
    known = figures[0].learning
    solved = (known.threshold - known.random) / (known.final - known.random)
    axes.axhline(solved, color="black", linewidth=0.8, linestyle=":", label="threshold")
    axes.set(title=figures[0].pair, xlabel="target steps", ylabel="normalised return")
    # One very bad run would flatten all others.
    axes.set_ylim(bottom=max(axes.get_ylim()[0], -1.0))
    axes.grid(alpha=0.3)
    axes.legend(fontsize=7, loc="lower right", framealpha=0.9)


def height_at(curve: LearningCurve, steps: np.ndarray) -> np.ndarray:
    """Returns normalised returns at some steps; before its first point a curve is 0."""
    heights = np.interp(steps, curve.steps, curve.returns)
    return np.where(steps < curve.steps[0], 0.0, heights)


def draw_estimates(
    axes: Axes,
    title: str,
    estimates: Mapping[str, Estimate],
    colours: Mapping[str, str],
) -> None:
    """Draws figures with their intervals, one line for each strategy."""
    for place, (name, one) in enumerate(estimates.items()):
        axes.plot(
            [one.low, one.high],
            [place, place],
            color=colours[name],
            linewidth=5,
            alpha=0.4,
        )
        axes.plot(one.value, place, "o", color=colours[name])
    axes.set_yticks(range(len(estimates)), list(estimates))
    axes.set_title(title, fontsize=10)
    axes.margins(y=0.3)
    # Differences that are small shall look small.
    low, high = axes.get_xlim()
    axes.set_xlim(min(low, -0.03), max(high, 1.03))
    axes.grid(alpha=0.3, axis="x")
