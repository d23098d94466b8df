"""Returns of policies with their intervals; a refused one looks refused."""

from collections.abc import Mapping
from types import MappingProxyType

from matplotlib.axes import Axes

from rltransfer.evaluation import ReturnSummary

VERDICT_COLOURS = MappingProxyType(
    {True: "tab:green", False: "tab:red", None: "tab:orange"}
)
"""Of the verdict; None: the mapping was not tested."""
RANDOM = "tab:gray"
_OF_FIGURES = MappingProxyType(
    {
        "random": RANDOM,
        "improved": "tab:purple",
        "source at home": "tab:blue",
        "random at home": RANDOM,
    }
)


def charted(figures: Mapping[str, ReturnSummary]) -> dict[str, ReturnSummary]:
    """Returns the figures that are drawn.

    What random actions earn at home stands in the table; it is drawn only where nothing
    else says how much little is.
    """
    return {
        name: one
        for name, one in figures.items()
        if name != "random at home" or "random" not in figures
    }


def draw_returns(
    axes: Axes, figures: Mapping[str, ReturnSummary], accepted: bool | None
) -> None:
    """Draws mean returns with their 95 % intervals, the figures beside them.

    A zero-shot policy that was never tried has a row of its own without a figure.

    Args:
        axes: where.
        figures: by the name of the policy, the first one at the top.
        accepted: whether the zero-shot policy was; a refused one is drawn hollow. None
            where that was not tested.
    """
    refused = accepted is False
    names = {
        name: f"{name}\n(refused)" if name == "zero-shot" and refused else name
        for name in figures
    }
    for place, (name, summary) in enumerate(figures.items()):
        mean = summary.mean_return
        low, high = summary.ci95 or (mean, mean)
        hollow = names[name] != name
        verdict = VERDICT_COLOURS[not hollow]
        colour = _OF_FIGURES.get(name, verdict if name == "zero-shot" else "tab:olive")
        axes.hlines(place, low, high, color=colour, linewidth=7, alpha=0.35)
        axes.plot([low, high], [place, place], "|", color=colour, markersize=14)
        axes.plot(
            mean,
            place,
            "o",
            color=colour,
            markersize=9,
            markeredgewidth=2,
            fillstyle="none" if hollow else "full",
        )
        axes.annotate(
            f"{mean:.1f}",
            (mean, place),
            xytext=(0, 8),
            textcoords="offset points",
            ha="center",
        )
    if "random" in figures:
        floor = figures["random"].mean_return
        axes.axvline(floor, color=RANDOM, linewidth=0.9, linestyle=":")
    labels = list(names.values())
    if "zero-shot" not in figures:
        axes.text(
            0.5,
            len(labels),
            "unproved: never tried in the target",
            transform=axes.get_yaxis_transform(),
            ha="center",
            va="center",
            color=VERDICT_COLOURS[None],
        )
        labels.append("zero-shot")
        axes.set_ylim(-0.6, len(labels) - 0.4)
    axes.set_yticks(range(len(labels)), labels)
    axes.invert_yaxis()
    axes.margins(x=0.1, y=0.2)
    axes.grid(alpha=0.3, axis="x")
    counts = " or ".join(map(str, sorted({s.episodes for s in figures.values()})))
    axes.set_title("Returns in fresh episodes")
    axes.locator_params(axis="x", nbins=5)
    axes.set_xlabel(f"mean return of {counts} episodes, 95 % interval")
