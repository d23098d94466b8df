"""What came of learning on, over target steps."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from matplotlib.axes import Axes

_COLOURS = MappingProxyType(
    {
        "random": "tab:gray",
        "mapped": "tab:green",
        "student": "tab:purple",
        "scratch": "tab:orange",
    }
)
_WORDS = MappingProxyType({"mapped": "mapped policy", "scratch": "from scratch"})


def draw_learning(
    axes: Axes,
    curve: Sequence[Mapping[str, Any]],
    arms: Sequence[Mapping[str, Any]] = (),
    threshold: float | None = None,
) -> None:
    """Draws a learning curve; the colour of a point says who acted there.

    Args:
        axes: where.
        curve: points with `target_steps`, `mean_return` and `arm`.
        arms: who learned or acted beside it; their last returns are drawn as crosses.
        threshold: return from which the target counts as solved.
    """
    steps = [point["target_steps"] for point in curve]
    returns = [point["mean_return"] for point in curve]
    axes.plot(steps, returns, color="tab:gray", linewidth=1, alpha=0.7)
    for arm in dict.fromkeys(point["arm"] for point in curve):
        own = [point for point in curve if point["arm"] == arm]
        axes.plot(
            [point["target_steps"] for point in own],
            [point["mean_return"] for point in own],
            "o",
            markersize=4,
            color=_COLOURS.get(arm, "tab:olive"),
            label=_WORDS.get(arm, arm),
        )
    for one in arms:
        final = one.get("final_returns") or [one.get("last_return")]
        known = [value for value in final if value is not None]
        if known:
            axes.plot(
                steps[-1],
                sum(known) / len(known),
                "x",
                markersize=7,
                markeredgewidth=2,
                color=_COLOURS.get(one["name"], "tab:olive"),
                label=f"{_WORDS.get(one['name'], one['name'])}, last measured",
            )
    if threshold is not None:
        axes.axhline(threshold, color="black", lw=0.8, ls=":", label="threshold")
    axes.set(title="Learning on", xlabel="target steps", ylabel="mean return")
    axes.margins(y=0.1)
    axes.grid(alpha=0.3)
    axes.legend(loc="best")
