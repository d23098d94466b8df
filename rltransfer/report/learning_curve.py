"""The learning curve of one transfer: who would have come out when, and how good."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import final

from matplotlib.axes import Axes

_COLOURS = {
    "random": "tab:gray",
    "mapped": "tab:green",
    "student": "tab:blue",
    "scratch": "tab:orange",
    "refitted": "tab:olive",
}
_OTHER = "black"
_MARKERS = {
    "random": "x",
    "mapped": "s",
    "student": "o",
    "scratch": "^",
    "refitted": "D",
}
_LINES = ("-", "--", "-.", ":")


@final
@dataclass(frozen=True)
class CurveShown:
    """A learning curve, and what it is compared with."""

    points: tuple[tuple[int, float, str], ...]
    """Target steps, mean return and arm."""
    threshold: float
    """Mean return that counts as solved."""
    alignment_steps: int
    """Target steps before learning on."""
    marks: Mapping[str, float]
    """Returns of policies that do not learn, by name."""


def draw_curve(axes: Axes, curve: CurveShown) -> None:
    """Draws the curve; each part of it has the colour of the arm at its end.

    Until the alignment ended nothing better than random actions was at hand.
    """
    for (start, before, arm), (end, after, later) in pairwise(curve.points):
        steps, returns, style = [start, end], [before, after], "-"
        if arm == "random":
            aligned = min(curve.alignment_steps, end)
            steps, returns, style = [start, aligned, end], [before, before, after], ":"
        colour = _COLOURS.get(later, _OTHER)
        axes.plot(steps, returns, color=colour, linewidth=1.5, linestyle=style)
    for arm in dict.fromkeys(arm for _, _, arm in curve.points):
        own = [(at, mean) for at, mean, name in curve.points if name == arm]
        axes.scatter(
            *zip(*own, strict=True),
            color=_COLOURS.get(arm, _OTHER),
            marker=_MARKERS.get(arm, "o"),
            # The line of what does not learn has the name already.
            label="_nolegend_" if arm in curve.marks else arm,
            zorder=3,
        )
    for place, (name, mean) in enumerate(curve.marks.items()):
        line = _LINES[place % len(_LINES)]
        axes.axhline(
            mean, color="black", linewidth=0.9, alpha=0.6, linestyle=line, label=name
        )
    axes.axhline(curve.threshold, color="tab:red", linewidth=1.2, label="threshold")
    axes.axvspan(0, curve.alignment_steps, color="tab:gray", alpha=0.12)
    axes.annotate(
        "alignment",
        (0, 1),
        xycoords=("data", "axes fraction"),
        xytext=(4, -4),
        textcoords="offset points",
        va="top",
        fontsize=8,
    )
    axes.set(
        title="Learning on: mean return of what would come out",
        xlabel="target steps used",
        ylabel="mean return",
    )
    axes.set_xlim(left=0)
    axes.margins(y=0.12)
    axes.grid(alpha=0.3)
    axes.legend(loc="best", fontsize=8, ncols=2, framealpha=0.9)
