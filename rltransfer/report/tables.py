"""Results as a person reads them."""

from collections.abc import Iterable, Mapping, Sequence

from rich import box
from rich.console import Group, JustifyMethod, RenderableType
from rich.table import Table
from rich.text import Text

from rltransfer.evaluation import ReturnSummary


def plain_table(*headings: str, title: str | None = None) -> Table:
    """Returns an empty table in the one style of this command line.

    Args:
        headings: of the columns; all but the first are set to the right.
        title: above the table.
    """
    table = Table(title=title, box=box.SIMPLE_HEAD, title_justify="left")
    for place, heading in enumerate(headings):
        # Folded rather than cut: a path without its end is of no use.
        side: JustifyMethod = "right" if place else "left"
        table.add_column(heading, justify=side, overflow="fold")
    return table


def returns_table(
    rows: Iterable[tuple[str, ReturnSummary | None]], title: str | None = None
) -> Table:
    """Returns one row of figures per policy; `None` was not measured."""
    table = plain_table(
        "policy", "mean return", "95 % interval", "IQM", "episodes", title=title
    )
    for name, summary in rows:
        if summary is None:
            table.add_row(name, "-", "-", "-", "-")
            continue
        low, high = summary.ci95
        # One episode has no spread to make an interval of.
        interval = f"{low:.1f} to {high:.1f}" if summary.episodes > 1 else "-"
        table.add_row(
            name,
            f"{summary.mean_return:.1f}",
            interval,
            f"{summary.iqm:.1f}",
            str(summary.episodes),
        )
    return table


def steps_told(steps: Mapping[str, int]) -> str:
    """Returns steps by purpose in words, such as `exploration 500, acceptance 200`."""
    return ", ".join(f"{purpose} {count:,}" for purpose, count in steps.items())


def facts(entries: Sequence[tuple[str, str]]) -> RenderableType:
    """Returns named lines, the names in a column of their own."""
    width = max((len(name) for name, _ in entries), default=0)
    lines = [
        Text.assemble((f"  {name:<{width}}  ", "bold"), told, overflow="fold")
        for name, told in entries
    ]
    return Group(*lines)
