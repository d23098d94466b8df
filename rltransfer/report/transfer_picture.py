"""One transfer on one page: linear maps as heat maps, candidates, and returns."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import final

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from rltransfer.evaluation import ReturnSummary
from rltransfer.io import write_atomically
from rltransfer.report.learning_curve import CurveShown, draw_curve

_DOTS_PER_INCH = 120
_INCHES = (13.0, 8.5)
_CURVE_INCHES = 4.0
"""More of them, where there is a learning curve."""
_MOST_CELLS_WITH_NUMBERS = 12
"""Along one side; more would overlap."""
_MOST_NAMES = 32
_DARK = 0.6
"""Share of the largest value from which a cell needs white ink."""
_RETURN, _ALIGNMENT_ERROR, _CHOSEN = "tab:blue", "tab:gray", "tab:green"
_BARS = ("tab:gray", "tab:green", "tab:blue", "tab:purple")


@final
@dataclass(frozen=True, eq=False)
class LinearMap:
    """What each target variable does to each source variable."""

    values: Float[np.ndarray, "source target"]
    source_names: tuple[str, ...]
    target_names: tuple[str, ...]
    unit: str
    """Of the values."""

    def __post_init__(self) -> None:
        named = (len(self.source_names), len(self.target_names))
        if self.values.shape != named:
            raise ValueError(f"{named} names for values of shape {self.values.shape}")


@final
@dataclass(frozen=True)
class Attempt:
    """A candidate that was acted with."""

    round: int
    """Counted from 1."""
    target_steps: int
    """Spent when it had acted."""
    mean_return: float
    alignment_error: float
    chosen: bool = False


def draw_transfer(
    path: Path,
    *,
    title: str,
    state_map: LinearMap,
    action_map: LinearMap,
    attempts: Sequence[Attempt],
    figures: Mapping[str, ReturnSummary],
    curve: CurveShown | None = None,
) -> None:
    """Draws the maps, the attempts and the returns, and writes a PNG file.

    Args:
        path: of the file.
        title: of the page.
        state_map: drawn at the upper left.
        action_map: beside it.
        attempts: in the order in which they were made.
        figures: returns of policies, by name.
        curve: of learning on, drawn below all else.
    """
    width, height = _INCHES
    more = 0.0 if curve is None else _CURVE_INCHES
    size = (width, height + more)
    figure = Figure(figsize=size, dpi=_DOTS_PER_INCH, layout="constrained")
    figure.suptitle(title, fontsize=13)
    heights = (height / 2, height / 2, *([] if curve is None else [more]))
    grid = figure.add_gridspec(len(heights), 2, height_ratios=heights)
    draw_map(figure.add_subplot(grid[0, 0]), state_map, "State map")
    draw_map(figure.add_subplot(grid[0, 1]), action_map, "Action map")
    lower = grid[1, 0].subgridspec(2, 1, height_ratios=(2, 1))
    returns = figure.add_subplot(lower[0])
    draw_attempts(returns, figure.add_subplot(lower[1], sharex=returns), attempts)
    draw_bars(figure.add_subplot(grid[1, 1]), figures)
    if curve is not None:
        draw_curve(figure.add_subplot(grid[2, :]), curve)
    drawn = io.BytesIO()
    # Without the version of the program, equal results are equal files.
    unversioned = {"Software": None}
    # `savefig` would draw all of it once more, only to lay it out.
    FigureCanvasAgg(figure).print_png(  # type: ignore[no-untyped-call]  # has no types
        drawn, metadata=unversioned
    )
    write_atomically(path, drawn.getvalue())


def draw_map(axes: Axes, linear: LinearMap, title: str) -> None:
    """Draws a map: colours diverge from zero, numbers stand where there is room."""
    values = linear.values
    rows, columns = values.shape
    largest = float(np.abs(values).max()) or 1.0
    image = axes.imshow(values, cmap="RdBu_r", vmin=-largest, vmax=largest)
    axes.set_aspect("auto")
    axes.set(title=title, xlabel="target", ylabel="source")
    if columns <= _MOST_NAMES:
        axes.set_xticks(range(columns), linear.target_names, rotation=30, ha="right")
    if rows <= _MOST_NAMES:
        axes.set_yticks(range(rows), linear.source_names)
    axes.tick_params(length=0)
    figure = axes.get_figure()
    assert figure is not None
    figure.colorbar(image, ax=axes, label=linear.unit)
    if max(values.shape) > _MOST_CELLS_WITH_NUMBERS:
        return
    for (row, column), value in np.ndenumerate(values):
        ink = "white" if abs(value) > _DARK * largest else "black"
        # Adding zero spares the reader a "-0.00".
        number = f"{round(float(value), 2) + 0.0:.2f}"
        axes.text(column, row, number, ha="center", va="center", color=ink, fontsize=9)


def draw_attempts(
    returns: Axes, alignment_errors: Axes, attempts: Sequence[Attempt]
) -> None:
    """Draws what each candidate earned and, below, how badly it fitted.

    Args:
        returns: for what was earned.
        alignment_errors: below it, with the same steps.
        attempts: in the order in which they were made.
    """
    steps = [attempt.target_steps for attempt in attempts]
    earned = [attempt.mean_return for attempt in attempts]
    errors = [attempt.alignment_error for attempt in attempts]
    returns.scatter(steps, earned, color=_RETURN, label="candidate")
    alignment_errors.scatter(steps, errors, color=_ALIGNMENT_ERROR)
    for axes, heights in ((returns, earned), (alignment_errors, errors)):
        for attempt, height in zip(attempts, heights, strict=True):
            if attempt.chosen:
                axes.scatter(
                    attempt.target_steps,
                    height,
                    s=130,
                    facecolors="none",
                    edgecolors=_CHOSEN,
                    linewidths=2,
                    label="chosen",
                )
        _mark_rounds(axes, attempts)
        axes.margins(x=0.08, y=0.25)
        axes.grid(alpha=0.3)
    returns.set(title="Candidates acted with", ylabel="mean return")
    returns.tick_params(labelbottom=False)
    if attempts:
        returns.legend(loc="best", fontsize=8, framealpha=0.9)
    alignment_errors.set(ylabel="alignment error", xlabel="target steps used")


def _mark_rounds(axes: Axes, attempts: Sequence[Attempt]) -> None:
    label: str | None = "next round"
    for before, after in pairwise(attempts):
        if before.round != after.round:
            edge = (before.target_steps + after.target_steps) / 2
            axes.axvline(edge, color="black", lw=0.8, linestyle=":", label=label)
            label = None


def draw_bars(axes: Axes, figures: Mapping[str, ReturnSummary]) -> None:
    """Draws mean returns with their 95 % intervals, the figures beside them."""
    axes.axhline(0, color="black", linewidth=0.8)
    for place, (name, summary) in enumerate(figures.items()):
        mean = summary.mean_return
        low, high = summary.ci95 or (mean, mean)
        axes.bar(
            name.replace(" ", "\n", 1),  # four of them are too long for one line
            mean,
            yerr=[[mean - low], [high - mean]],
            capsize=6,
            color=_BARS[place % len(_BARS)],
            alpha=0.85,
        )
        down = mean < 0
        axes.annotate(
            f"{mean:.1f}",
            (place, low if down else high),
            xytext=(0, -5 if down else 5),
            textcoords="offset points",
            ha="center",
            va="top" if down else "bottom",
        )
    axes.margins(y=0.18)
    counts = " or ".join(map(str, sorted({s.episodes for s in figures.values()})))
    axes.set_title(f"Mean return over {counts} fresh episodes, 95 % interval")
    axes.set_ylabel("return")
