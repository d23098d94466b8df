"""Results as a person reads them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, final

from rich import box
from rich.console import (
    Console,
    ConsoleOptions,
    Group,
    JustifyMethod,
    RenderableType,
    RenderResult,
)
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from rltransfer.evaluation import ReturnSummary

Rows: TypeAlias = Sequence[Mapping[str, str]]
"""Cells by heading; all rows have the same headings."""
_AMPLE = 10_000
"""Columns of characters, more than any table has."""
MISSED = "no"
"""A cell about a goal that was not reached, which is set in bold."""


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


def returns_table(rows: Mapping[str, ReturnSummary], title: str | None = None) -> Table:
    """Returns one row of figures per policy, by its name."""
    table = plain_table(
        "policy", "mean return", "95 % interval", "IQM", "episodes", title=title
    )
    for name, summary in rows.items():
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


@final
@dataclass(frozen=True)
class RowsTable:
    """Rows as a table; columns that a screen has no room for go on below.

    Args:
        rows: at least one.
        title: above the table.
        headings: of the columns to show, where not all are.
        keys: first columns, by which a row is known: they stand in every part.
    """

    rows: Rows
    title: str | None = None
    headings: Sequence[str] = ()
    keys: int = 1

    def __rich_console__(
        self, console: Console, options: ConsoleOptions
    ) -> RenderResult:
        shown = list(self.headings or self.rows[0])
        keys, rest = shown[: self.keys], shown[self.keys :]
        title = self.title
        while True:
            fitting = len(rest)
            while fitting > 1 and not self._fits(
                keys + rest[:fitting], console, options
            ):
                fitting -= 1
            yield self._part(keys + rest[:fitting], title)
            rest, title = rest[fitting:], None
            if not rest:
                return

    def _fits(
        self, headings: Sequence[str], console: Console, options: ConsoleOptions
    ) -> bool:
        # Of a word and a number, nothing may go on in the next line; a title may.
        table = self._part(headings, None)
        ample = options.update(max_width=_AMPLE)
        needed = Measurement.get(console, ample, table).minimum
        return needed <= options.max_width

    def _part(self, headings: Sequence[str], title: str | None) -> Table:
        table = plain_table(*headings, title=title)
        for row in self.rows:
            cells = [row[heading] for heading in headings]
            table.add_row(*(Text(cell, _style(cell)) for cell in cells))
        for heading, column in zip(headings, table.columns, strict=True):
            words = [heading, *(row[heading] for row in self.rows)]
            column.min_width = max(map(len, " ".join(words).split()), default=0)
        return table


def markdown(rows: Rows) -> str:
    """Returns rows as a table in Markdown; at least one."""
    cells = [[_bold(cell) for cell in row.values()] for row in rows]
    lines = [list(rows[0]), ["---"] * len(rows[0]), *cells]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _style(cell: str) -> str:
    return "bold" if cell == MISSED else ""


def _bold(cell: str) -> str:
    return f"**{cell}**" if cell == MISSED else cell


def steps_by_purpose(steps: Mapping[str, int]) -> str:
    """Returns steps in words, such as `exploration 500, acceptance 200`."""
    return ", ".join(f"{purpose} {count:,}" for purpose, count in steps.items())


def verdict_word(accepted: bool | None) -> str:
    """Returns what is said of a mapping in one word; None: it was not tested."""
    if accepted is None:
        return "unproved"
    return "accepted" if accepted else "refused"


SOURCE_COLUMNS = "source", "family", "error", "trials", "best trial", "steps", "verdict"
"""Of the table of several sources."""


def source_cells(record: Mapping[str, Any]) -> tuple[str, ...]:
    """Returns the row of one source in the table of several.

    Args:
        record: as `transfer --json` has it.
    """
    error, trial = record["alignment_error"], record["trial_return"]
    verdict = verdict_word(record["accepted"]) if record["kept"] else "dropped"
    if record.get("members"):
        # Runs of earlier versions do not say.
        joins = verdict if record["kept"] else "joins"
        verdict = f"{joins}, say {record['say']:.0%}"
    return (
        record["source"],
        record["family"] or "-",
        "-" if error is None else f"{error:.3f}",
        str(record["trials"]),
        "-" if trial is None else f"{trial:.1f}",
        f"{record['target_steps']:,}",
        verdict,
    )


def logged_steps(log: Mapping[str, Any] | None) -> str | None:
    """Returns in words where logged steps are from; None where there is no log."""
    if log is None:
        return None
    used, steps = log["used_steps"], log["steps"]
    of_all = f"{used:,}" if used == steps else f"{used:,} of {steps:,}"
    return f"{of_all} in {log['episodes']:,} episodes of {log['origin']}"


def facts(entries: Iterable[tuple[str, object]]) -> RenderableType:
    """Returns named lines, the names in a column of their own.

    Args:
        entries: names and values; without those that are None or empty.
    """
    shown = [(name, str(value)) for name, value in entries if value not in (None, "")]
    width = max((len(name) for name, _ in shown), default=0)
    return Group(
        *(
            Text.assemble((f"  {name:<{width}}  ", "bold"), text, overflow="fold")
            for name, text in shown
        )
    )
