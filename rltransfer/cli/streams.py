"""What goes to standard output and what to standard error."""

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.text import Text


@contextmanager
def output_kept_clean(clean: bool) -> Iterator[None]:
    """Sends everything written to standard output to standard error for a while.

    Also what C libraries and child processes write, who know the descriptor only.

    Args:
        clean: whether to do so at all.
    """
    if not clean:
        yield
        return
    output, sys.stdout = sys.stdout, sys.stderr
    kept = _redirected(output)
    try:
        yield
    finally:
        sys.stdout.flush()
        sys.stdout = output
        if kept is not None:
            os.dup2(kept, 1)
            os.close(kept)


def print_json(value: dict[str, Any]) -> None:
    """Prints one JSON object on standard output."""
    print(json.dumps(value, allow_nan=False), flush=True)


def print_error(message: str) -> None:
    """Prints one line about what went wrong on standard error."""
    # Names out of files and of files may hold what terminals act upon.
    told = "".join(c if c.isprintable() else repr(c)[1:-1] for c in message)
    line = Text.assemble(("error: ", "bold red"), " ".join(told.split()))
    Console(file=sys.stderr).print(line, soft_wrap=True)


def _redirected(output: Any) -> int | None:
    """Points descriptor 1 to standard error; returns a copy of what it was."""
    try:
        if output.fileno() != 1:
            return None
        output.flush()
        kept = os.dup(1)
        os.dup2(sys.stderr.fileno(), 1)
    except (OSError, ValueError):
        # A test's or a notebook's stream has no descriptor that others could write to.
        return None
    return kept
