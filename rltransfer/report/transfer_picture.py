"""One transfer on one page."""

import io
from dataclasses import dataclass
from pathlib import Path
from typing import final

from matplotlib.figure import Figure

from rltransfer.io import write_atomically
from rltransfer.report.heat_maps import LinearMap, draw_map
from rltransfer.report.returns_plot import Attempt, Bar, draw_attempts, draw_bars

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
