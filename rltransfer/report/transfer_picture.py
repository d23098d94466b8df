"""One transfer on one page: returns first, then candidates, then linear maps."""

import io
import textwrap
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
from rltransfer.report.return_chart import RANDOM, VERDICT_COLOURS, draw_returns

_DOTS_PER_INCH = 120
_WIDTH = 13.0
_UPPER, _CURVE, _LOWER = 4.6, 4.0, 4.2
"""Inches of the rows."""
_LETTERS = 150
"""In one line of the verdict."""
_MOST_CELLS_WITH_NUMBERS = 12
"""Along one side; more would overlap."""
_MOST_NAMES = 32
_ROUNDING = 0.005
"""Of the numbers on cells."""
_DARK = 0.6
"""Share of the largest value from which a cell needs white ink."""
_LEAST_RANGE = 0.1
"""Of colours, to either side of zero: next to nothing shall not look like much."""
_INK = "#010101"
"""Of numbers on cells; pages that turn dark exchange pure black only."""
_RETURN, _ALIGNMENT_ERROR, _CHOSEN = "tab:blue", "tab:gray", "tab:green"


@final
@dataclass(frozen=True, eq=False)
class LinearMap:
    """What each target variable does to each source variable."""

    values: Float[np.ndarray, "source target"]
    source_names: tuple[str, ...]
    target_names: tuple[str, ...]
    unit: str
    """Of the values: what one of them says of its source and its target variable."""

    def __post_init__(self) -> None:
        named = (len(self.source_names), len(self.target_names))
        if self.values.shape != named:
            raise ValueError(f"{named} names for values of shape {self.values.shape}")

    @property
    def worth_showing(self) -> bool:
        """Whether a picture says more than a sentence does."""
        return max(self.values.shape) > 1 and not self.changes_nothing

    @property
    def changes_nothing(self) -> bool:
        """Whether every variable is taken as the one of the same place."""
        rows, columns = self.values.shape
        if rows != columns:
            return False
        return bool(np.abs(self.values - np.eye(rows)).max() < _ROUNDING)


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
    cut_short: bool = False
    """Whether no episode was finished: the return is what it had earned so far."""


def draw_transfer(
    path: Path,
    *,
    title: str,
    verdict: str,
    accepted: bool | None,
    state_map: LinearMap,
    action_map: LinearMap,
    attempts: Sequence[Attempt],
    figures: Mapping[str, ReturnSummary],
    curve: CurveShown | None = None,
) -> None:
    """Draws returns, attempts and maps, and writes a PNG file.

    What has nothing to show takes no room: a single attempt, a map of one number.

    Args:
        path: of the file.
        title: of the page.
        verdict: with its reason.
        accepted: what it says; None where nothing was tested.
        state_map: what target observations become.
        action_map: likewise, of actions.
        attempts: in the order in which they were made.
        figures: returns of policies, by name.
        curve: of learning on, drawn below returns.
    """
    named = (
        (state_map, "State map", "variable"),
        (action_map, "Action map", "action"),
    )
    maps = [one for one in named if one[0].worth_showing]
    heights = [_UPPER]
    heights += [] if curve is None else [_CURVE]
    heights += [_LOWER] if maps else []
    figure = Figure(
        figsize=(_WIDTH, sum(heights)), dpi=_DOTS_PER_INCH, layout="constrained"
    )
    # Names out of files may hold what looks like mathematics.
    figure.suptitle(
        "\n".join(textwrap.fill(text, _LETTERS) for text in (title, verdict)),
        fontsize=12,
        color=VERDICT_COLOURS[accepted],
        parse_math=False,
    )
    rows = figure.subfigures(len(heights), 1, height_ratios=heights, squeeze=False)
    if len(attempts) > 1:
        upper = rows[0, 0].add_gridspec(2, 2, width_ratios=(3, 2), height_ratios=(2, 1))
        draw_returns(rows[0, 0].add_subplot(upper[:, 0]), figures, accepted)
        returns = rows[0, 0].add_subplot(upper[0, 1])
        errors = rows[0, 0].add_subplot(upper[1, 1], sharex=returns)
        draw_attempts(returns, errors, attempts, figures.get("random"))
    else:
        draw_returns(rows[0, 0].add_subplot(), figures, accepted)
    if curve is not None:
        draw_curve(rows[1, 0].add_subplot(), curve)
    for place, words in enumerate(maps, 1):
        draw_map(rows[-1, 0].add_subplot(1, len(maps), place), *words)
    drawn = io.BytesIO()
    # Without the version of the program, equal results are equal files.
    unversioned = {"Software": None}
    # `savefig` would draw all of it once more, only to lay it out.
    FigureCanvasAgg(figure).print_png(  # type: ignore[no-untyped-call]  # has no types
        drawn, metadata=unversioned
    )
    write_atomically(path, drawn.getvalue())


def draw_map(axes: Axes, linear: LinearMap, title: str, of: str = "variable") -> None:
    """Draws a map: colours diverge from zero, numbers stand where there is room.

    Args:
        axes: where.
        linear: what is drawn.
        title: above it.
        of: what its rows and columns are.
    """
    values = linear.values
    rows, columns = values.shape
    largest = max(float(np.abs(values).max()), _LEAST_RANGE)
    image = axes.imshow(values, cmap="RdBu_r", vmin=-largest, vmax=largest)
    axes.set_aspect("auto")
    axes.set(title=title, xlabel=f"target {of}", ylabel=f"source {of}")
    if columns <= _MOST_NAMES:
        axes.set_xticks(range(columns), linear.target_names, rotation=40, ha="right")
    if rows <= _MOST_NAMES:
        axes.set_yticks(range(rows), linear.source_names)
    axes.tick_params(length=0)
    figure = axes.get_figure()
    assert figure is not None
    figure.colorbar(image, ax=axes).set_label(linear.unit, fontsize=8)
    if max(values.shape) > _MOST_CELLS_WITH_NUMBERS:
        return
    for (row, column), value in np.ndenumerate(values):
        ink = "white" if abs(value) > _DARK * largest else _INK
        # Adding zero spares the reader a "-0.00".
        number = f"{round(float(value), 2) + 0.0:.2f}"
        axes.text(column, row, number, ha="center", va="center", color=ink, fontsize=9)


def draw_attempts(
    returns: Axes,
    alignment_errors: Axes,
    attempts: Sequence[Attempt],
    random: ReturnSummary | None = None,
) -> None:
    """Draws what each candidate earned and, below, how badly it fitted.

    Args:
        returns: for what was earned.
        alignment_errors: below it, with the same steps.
        attempts: in the order in which they were made.
        random: what random actions earn, for comparison.
    """
    steps = [attempt.target_steps for attempt in attempts]
    earned = [attempt.mean_return for attempt in attempts]
    errors = [attempt.alignment_error for attempt in attempts]
    for cut_short, marker, label in (
        (False, "o", "finished episodes"),
        (True, "^", "cut short: earned so far"),
    ):
        places = [n for n, one in enumerate(attempts) if one.cut_short == cut_short]
        if places:
            returns.scatter(
                [steps[n] for n in places],
                [earned[n] for n in places],
                color=_RETURN,
                marker=marker,
                label=label,
            )
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
    if random is not None:
        colour = RANDOM
        returns.axhline(random.mean_return, color=colour, ls="--", label="random")
    # Errors that hardly differ shall look so.
    alignment_errors.set_ylim(0, 1.25 * max(errors, default=1.0) or 1.0)
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
