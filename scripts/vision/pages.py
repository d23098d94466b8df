"""Pages of pictures that one can look at: what networks found on test canvases."""

from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from rltransfer.io import write_atomically
from rltransfer.mapping import Network
from vision.average_precision import Boxes, shared
from vision.canvases import NOTHING, Canvases
from vision.found_digits import found, true_boxes
from vision.masks_and_turns import read
from vision.photographs import photograph

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SHOWN, SURE = 8, 0.3
"""Canvases on a page, and the least score of a box that is drawn."""


def page_of_boxes(
    path: Path, networks: Mapping[str, Network], canvases: Canvases
) -> None:
    """Draws the first canvases, a row for each network.

    Boxes are green where digit and place (IoU of 0.5) are right, and red elsewhere.
    Digits that no right box was found for are dotted.
    """
    from matplotlib.figure import Figure

    some = canvases.first(min(SHOWN, len(canvases)))
    true = true_boxes(some)
    figure = Figure(figsize=(12, 1.65 * len(networks)), layout="constrained")
    grid = figure.subplots(len(networks), len(some), squeeze=False)
    for (name, network), axes in zip(networks.items(), grid, strict=True):
        boxes = found(network, some)
        boxes = boxes[boxes.scores >= SURE]
        axes[0].set_ylabel(name)
        for number, one in enumerate(axes):
            _picture(one, some, number)
            _boxes(one, boxes[boxes.picture == number], true[true.picture == number])
    save_page(path, figure)


def page_of_masks(
    path: Path, networks: Mapping[str, Network], canvases: Canvases
) -> None:
    """Draws pictures, true masks and a row for each network, a colour for each digit.

    A line through the true centre of a digit points to where its top is said to be.
    """
    from matplotlib.figure import Figure

    some = canvases.first(min(SHOWN, len(canvases)))
    rows = {"truth": (some.masks, some.turns)}
    rows |= {name: read(network, some) for name, network in networks.items()}
    figure = Figure(figsize=(12, 1.65 * (1 + len(rows))), layout="constrained")
    grid = figure.subplots(1 + len(rows), len(some), squeeze=False)
    grid[0, 0].set_ylabel("picture")
    for number, axes in enumerate(grid[0]):
        _picture(axes, some, number)
    for (name, (masks, turns)), line in zip(rows.items(), grid[1:], strict=True):
        line[0].set_ylabel(name)
        for number, axes in enumerate(line):
            kinds = np.ma.masked_equal(masks[number].numpy(), NOTHING)
            axes.imshow(kinds, cmap="tab10", vmin=-0.5, vmax=9.5, interpolation="none")
            axes.set(xticks=[], yticks=[])
            here = some.canvas == number
            for corners, turn in zip(
                some.boxes[here], turns[here].tolist(), strict=True
            ):
                x, y = ((corners[:2] + corners[2:]) / 2 - 0.5).tolist()
                up = 7 * np.array([np.sin(turn), -np.cos(turn)])
                axes.plot([x, x + up[0]], [y, y + up[1]], color="black", linewidth=1)
    save_page(path, figure)


def page_of_faces(path: Path, found: Mapping[str, Boxes]) -> None:
    """Draws what was found in photographs, by their names."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 2.8), layout="constrained")
    for axes, (name, boxes) in zip(
        figure.subplots(1, len(found)), found.items(), strict=True
    ):
        axes.imshow(photograph(name).numpy(), cmap="gray", vmin=0, vmax=1)
        axes.set(xticks=[], yticks=[], title=name)
        for corners in boxes.corners:
            _outline(axes, corners, "red", "-")
    save_page(path, figure)


def _picture(axes: "Axes", canvases: Canvases, number: int) -> None:
    axes.imshow(canvases.pictures[number].numpy(), cmap="gray_r", vmin=0, vmax=1.6)
    axes.set(xticks=[], yticks=[])


def _boxes(axes: "Axes", found: Boxes, true: Boxes) -> None:
    alike = found.kind[:, None] == true.kind
    right = alike & (shared(found.corners, true.corners) >= 0.5)
    for corners in true.corners[~right.any(axis=0)]:
        _outline(axes, corners, "grey", ":")
    for corners, kind, good in zip(
        found.corners, found.kind, right.any(axis=1), strict=True
    ):
        colour = "green" if good else "red"
        _outline(axes, corners, colour, "-")
        axes.text(
            corners[0] - 0.5,
            corners[1] - 0.5,
            str(kind),
            color=colour,
            fontsize=8,
            clip_on=True,
        )


def _outline(axes: "Axes", corners: np.ndarray, colour: str, line: str) -> None:
    left, top, right, bottom = corners - 0.5
    axes.plot(
        [left, right, right, left, left],
        [top, top, bottom, bottom, top],
        line,
        color=colour,
        linewidth=1.2,
        scalex=False,
        scaley=False,
    )


def save_page(path: Path, figure: "Figure") -> None:
    """Writes a figure as PNG."""
    drawn = BytesIO()
    figure.savefig(drawn, format="png", dpi=75)
    write_atomically(path, drawn.getvalue())
