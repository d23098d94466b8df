"""What a verb hands back to be printed."""

from typing import Any, Protocol, runtime_checkable

from rich.console import RenderableType


@runtime_checkable
class Outcome(Protocol):
    """The result of a verb; printed in one of two ways, never in both."""

    def as_json(self) -> dict[str, Any]:
        """Returns the one object that `--json` prints."""
        ...

    def as_table(self) -> RenderableType:
        """Returns what a person reads."""
        ...
