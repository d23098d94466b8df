"""What a verb hands back to be printed."""

from typing import Any, Protocol

from rich.console import RenderableType


class Outcome(Protocol):
    """The result of a verb; printed in one of two ways, never in both."""

    def as_json(self) -> dict[str, Any]:
        """Returns the one object that `--json` prints."""
        ...

    def as_table(self) -> RenderableType:
        """Returns what a person reads."""
        ...
