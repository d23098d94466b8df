"""Results as people look at them: tables, and pictures drawn from plain numbers."""

import io
from abc import ABC, abstractmethod
from typing import Any

_WIDTH = 100


class Result(ABC):
    """What a verb returns: prints as a table, or as one object of JSON."""

    @abstractmethod
    def as_json(self) -> dict[str, Any]:
        """Returns the object that `--json` prints."""

    @abstractmethod
    def __rich__(self) -> Any:
        """Returns what rich prints."""

    def table(self, width: int = _WIDTH) -> str:
        """Returns the table as plain text.

        Args:
            width: of a line, in characters; longer ones are folded.
        """
        # Here, so that the command line is quick to start.
        from rich.console import Console

        text = io.StringIO()
        Console(file=text, width=width, highlight=False, color_system=None).print(self)
        return text.getvalue().rstrip()

    def __str__(self) -> str:
        return self.table()
