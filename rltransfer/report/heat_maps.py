"""Linear maps as heat maps."""

from dataclasses import dataclass
from typing import final

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes

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
        told = f"{round(float(value), 2) + 0.0:.2f}"
        axes.text(column, row, told, ha="center", va="center", color=ink, fontsize=9)


def _name(axes: Axes, linear: LinearMap) -> None:
    rows, columns = linear.values.shape
    if columns <= _MOST_NAMES:
        axes.set_xticks(range(columns), linear.target_names, rotation=30, ha="right")
    if rows <= _MOST_NAMES:
        axes.set_yticks(range(rows), linear.source_names)
    axes.tick_params(length=0)
