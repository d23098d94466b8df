"""Returns of policies with their intervals; a refused one looks refused."""

from collections.abc import Mapping
from types import MappingProxyType

from matplotlib.axes import Axes

from rltransfer.evaluation import ReturnSummary

ACCEPTED, REFUSED = "tab:green", "tab:red"
"""Of the verdict."""
RANDOM = "tab:gray"
_OF_FIGURES = MappingProxyType(
    {"random": RANDOM, "improved": "tab:purple", "source at home": "tab:blue"}
)


def draw_returns(
    axes: Axes, figures: Mapping[str, ReturnSummary], accepted: bool
) -> None:
    """Draws mean returns with their 95 % intervals, the figures beside them.

    Args:
        axes: where.
        figures: by the name of the policy, the first one at the top.
        accepted: whether the zero-shot policy was; a refused one is drawn hollow.
    """
    names = {
        name: f"{name}\n(refused)" if name == "zero-shot" and not accepted else name
        for name in figures
    }
    for place, (name, summary) in enumerate(figures.items()):
        mean = summary.mean_return
        low, high = summary.ci95 or (mean, mean)
        hollow = names[name] != name
        verdict = REFUSED if hollow else ACCEPTED
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
    axes.set_yticks(range(len(names)), list(names.values()))
    axes.invert_yaxis()
    axes.margins(x=0.1, y=0.2)
    axes.grid(alpha=0.3, axis="x")
    counts = " or ".join(map(str, sorted({s.episodes for s in figures.values()})))
    axes.set_title("Returns in fresh episodes")
    axes.set_xlabel(f"mean return of {counts} episodes, 95 % interval")
