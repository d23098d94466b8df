"""Returns: of the candidates on the way, and of the policies at the end."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import final

from matplotlib.axes import Axes

from rltransfer.evaluation import ReturnSummary

_RETURN, _ALIGNMENT_ERROR, _CHOSEN = "tab:blue", "tab:gray", "tab:green"
_BARS = ("tab:gray", "tab:green", "tab:blue", "tab:purple")


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


@final
@dataclass(frozen=True)
class Bar:
    """The returns of one policy."""

    name: str
    summary: ReturnSummary


def draw_attempts(
    returns: Axes, alignment_errors: Axes, attempts: Sequence[Attempt]
) -> None:
    """Draws what each candidate earned and, below, how badly it fitted.

    Args:
        returns: for what was earned.
        alignment_errors: below it, with the same steps.
        attempts: in the order in which they were made.
    """
    steps = [attempt.target_steps for attempt in attempts]
    earned = [attempt.mean_return for attempt in attempts]
    alignment_error = [attempt.alignment_error for attempt in attempts]
    returns.scatter(steps, earned, color=_RETURN, label="candidate")
    alignment_errors.scatter(steps, alignment_error, color=_ALIGNMENT_ERROR)
    for attempt in attempts:
        if attempt.chosen:
            _ring(returns, attempt.target_steps, attempt.mean_return)
            _ring(alignment_errors, attempt.target_steps, attempt.alignment_error)
    for axes in (returns, alignment_errors):
        _mark_rounds(axes, attempts)
        axes.margins(x=0.08, y=0.25)
        axes.grid(alpha=0.3)
    returns.set_title("Candidates acted with")
    returns.set_ylabel("mean return")
    returns.tick_params(labelbottom=False)
    if attempts:
        returns.legend(loc="best", fontsize=8, framealpha=0.9)
    alignment_errors.set_ylabel("alignment error")
    alignment_errors.set_xlabel("target steps used")


def draw_bars(axes: Axes, bars: Sequence[Bar]) -> None:
    """Draws mean returns with their 95 % intervals, the figures beside them."""
    summaries = [bar.summary for bar in bars]
    means = [summary.mean_return for summary in summaries]
    intervals = [s.ci95 or (s.mean_return, s.mean_return) for s in summaries]
    below = [mean - low for mean, (low, _) in zip(means, intervals, strict=True)]
    above = [high - mean for mean, (_, high) in zip(means, intervals, strict=True)]
    colours = [_BARS[place % len(_BARS)] for place in range(len(bars))]
    places = list(range(len(bars)))
    axes.bar(places, means, yerr=[below, above], capsize=6, color=colours, alpha=0.85)
    axes.set_xticks(places, [bar.name for bar in bars])
    axes.axhline(0, color="black", linewidth=0.8)
    axes.margins(y=0.18)
    for place, (mean, (low, high)) in enumerate(zip(means, intervals, strict=True)):
        down = mean < 0
        axes.annotate(
            f"{mean:.1f}",
            (place, low if down else high),
            xytext=(0, -5 if down else 5),
            textcoords="offset points",
            ha="center",
            va="top" if down else "bottom",
        )
    episodes = sorted({summary.episodes for summary in summaries})
    counts = " or ".join(map(str, episodes))
    axes.set_title(f"Mean return over {counts} fresh episodes, 95 % interval")
    axes.set_ylabel("return")


def _ring(axes: Axes, x: int, y: float) -> None:
    axes.scatter(
        x,
        y,
        s=130,
        facecolors="none",
        edgecolors=_CHOSEN,
        linewidths=2,
        label="chosen",
    )


def _mark_rounds(axes: Axes, attempts: Sequence[Attempt]) -> None:
    label: str | None = "next round"
    for before, after in pairwise(attempts):
        if before.round != after.round:
            edge = (before.target_steps + after.target_steps) / 2
            axes.axvline(edge, color="black", lw=0.8, linestyle=":", label=label)
            label = None
