"""One transfer on one page: linear maps as heat maps, and returns."""

import io
from dataclasses import dataclass
from pathlib import Path
from typing import final

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from rltransfer.io import write_atomically
from rltransfer.report.returns_plot import Attempt, Bar, draw_attempts, draw_bars

_MOST_CELLS_WITH_NUMBERS = 12
"""Along one side; more would overlap."""
_MOST_NAMES = 32
_DARK = 0.6
"""Share of the largest value from which a cell needs white ink."""


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


def draw_map(axes: Axes, linear: LinearMap, title: str) -> None:
    """Draws a map: colours diverge from zero, numbers stand where there is room."""
    values = linear.values
    largest = float(np.abs(values).max()) or 1.0
    image = axes.imshow(values, cmap="RdBu_r", vmin=-largest, vmax=largest)
    axes.set_aspect("auto")
    axes.set_title(title)
    axes.set_xlabel("target")
    axes.set_ylabel("source")
    _name(axes, linear)
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


def _name(axes: Axes, linear: LinearMap) -> None:
    rows, columns = linear.values.shape
    if columns <= _MOST_NAMES:
        axes.set_xticks(range(columns), linear.target_names, rotation=30, ha="right")
    if rows <= _MOST_NAMES:
        axes.set_yticks(range(rows), linear.source_names)
    axes.tick_params(length=0)


_DOTS_PER_INCH = 120
_INCHES = (13.0, 8.5)


@final
@dataclass(frozen=True, eq=False)
class TransferPicture:
    """Everything the page shows."""

    title: str
    state_map: LinearMap
    action_map: LinearMap
    attempts: tuple[Attempt, ...]
    bars: tuple[Bar, ...]
    state_note: str = "State map"
    action_note: str = "Action map"


def draw_transfer(picture: TransferPicture, path: Path) -> None:
    """Draws the maps, the attempts and the returns, and writes a PNG file."""
    figure = Figure(figsize=_INCHES, dpi=_DOTS_PER_INCH, layout="constrained")
    figure.suptitle(picture.title, fontsize=13)
    grid = figure.add_gridspec(2, 2, height_ratios=(1.0, 1.0))
    draw_map(figure.add_subplot(grid[0, 0]), picture.state_map, picture.state_note)
    draw_map(figure.add_subplot(grid[0, 1]), picture.action_map, picture.action_note)
    lower = grid[1, 0].subgridspec(2, 1, height_ratios=(2, 1))
    returns = figure.add_subplot(lower[0])
    alignment_errors = figure.add_subplot(lower[1], sharex=returns)
    draw_attempts(returns, alignment_errors, picture.attempts)
    draw_bars(figure.add_subplot(grid[1, 1]), picture.bars)
    drawn = io.BytesIO()
    # Without the version of the program, equal results are equal files.
    figure.savefig(drawn, format="png", metadata={"Software": None})
    write_atomically(path, drawn.getvalue())
