"""Progress on standard error; standard output is for results."""

import sys

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)


def bars(shown: bool) -> Progress:
    """Returns progress bars, which stay away where they are not `shown`."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[told]}"),
        console=Console(file=sys.stderr),
        disable=not shown,
        # Standard streams are redirected where it matters; once is enough.
        redirect_stdout=False,
        redirect_stderr=False,
    )
