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


def draw_learning(axes: Axes, record: Mapping[str, Any]) -> None:
    """Draws a learning curve; the colour of a point says who would have come out.

    Args:
        axes: where.
        record: what `transfer --json` prints: `curve`, and `threshold`, `arms` and
            `alignment_steps` where they are there.
    """
    curve: Sequence[Mapping[str, Any]] = record["curve"]
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
    label: str | None = "final comparison"
    for arm in record.get("arms") or ():
        if arm.get("final_return") is not None:
            axes.plot(
                steps[-1],
                arm["final_return"],
                "x",
                markersize=7,
                markeredgewidth=2,
                color=_COLOURS.get(arm["name"], "tab:olive"),
                label=label,
            )
            label = None
    if record.get("threshold") is not None:
        axes.axhline(
            record["threshold"], color="black", lw=0.8, ls=":", label="threshold"
        )
    aligned = record.get("alignment_steps") or 0
    if 0 < aligned < steps[-1]:
        axes.axvspan(0, aligned, color="tab:gray", alpha=0.15, label="alignment")
    axes.set(xlabel="target steps", ylabel="mean return")
    axes.margins(y=0.1)
    axes.grid(alpha=0.3)
    # Below: inside it would hide points on a narrow figure.
    figure = axes.get_figure(root=True)
    assert figure is not None
    figure.legend(loc="outside lower left", ncols=2)
