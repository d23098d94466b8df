"""Results as a person reads them."""

import io
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich import box
from rich.console import Console, Group, JustifyMethod, RenderableType
from rich.table import Table
from rich.text import Text

from rltransfer.evaluation import ReturnSummary

_WIDTH = 100


class Result(ABC):
    """What a verb returns: prints as a table, or as one object of JSON."""

    @abstractmethod
    def as_json(self) -> dict[str, Any]:
        """Returns the object that `--json` prints."""

    @abstractmethod
    def __rich__(self) -> RenderableType:
        """Returns what rich prints."""

    def table(self, width: int = _WIDTH) -> str:
        """Returns the table as plain text.

        Args:
            width: of a line, in characters; longer ones are folded.
        """
        text = io.StringIO()
        Console(file=text, width=width, highlight=False, color_system=None).print(self)
        return text.getvalue().rstrip()

    def __str__(self) -> str:
        return self.table()


def plain_table(*headings: str, title: str | None = None) -> Table:
    """Returns an empty table in the one style of this project.

    Args:
        headings: of the columns; all but the first are set to the right.
        title: above the table; brackets in it are no markup.
    """
    heading = None if title is None else Text(title)
    table = Table(title=heading, box=box.SIMPLE_HEAD, title_justify="left")
    for place, column in enumerate(headings):
        # Folded rather than cut: a path without its end is of no use.
        side: JustifyMethod = "right" if place else "left"
        table.add_column(column, justify=side, overflow="fold")
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
            table.add_row(Text(name), "-", "-", "-", "-")
            continue
        interval = "n/a"
        if summary.ci95 is not None:
            interval = "{:.1f} to {:.1f}".format(*summary.ci95)
        table.add_row(
            Text(name),
            f"{summary.mean_return:.1f}",
            interval,
            f"{summary.iqm:.1f}",
            str(summary.episodes),
        )
    return table


def steps_by_purpose(steps: Mapping[str, int]) -> str:
    """Returns steps in words, such as `exploration 500, acceptance 200`."""
    return ", ".join(f"{purpose} {count:,}" for purpose, count in steps.items())


def facts(entries: Sequence[tuple[str, str]]) -> RenderableType:
    """Returns named lines, the names in a column of their own."""
    width = max((len(name) for name, _ in entries), default=0)
    lines = [
        Text.assemble((f"  {name:<{width}}  ", "bold"), value, overflow="fold")
        for name, value in entries
    ]
    return Group(*lines)
