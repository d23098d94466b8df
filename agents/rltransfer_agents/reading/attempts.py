"""Reading on where a reader would stop, with a note of what was refused."""

from collections.abc import Callable
from typing import TypeVar, final

from rltransfer.errors import ArtifactRefused
from rltransfer_agents.reading.description import Refused
from rltransfer_agents.reading.refusal import Refusal, typed_faults

Value = TypeVar("Value")


@final
class Attempts:
    """Notes what is refused and goes on."""

    def __init__(self) -> None:
        self.refused: list[Refused] = []

    def at(self, part: str, read: Callable[[], Value]) -> Value | None:
        """Returns what `read` gives, or None if it refuses."""
        try:
            with typed_faults():
                return read()
        except Refusal as refusal:
            self.refused.append(Refused(part, refusal.code, refusal.reason))
        except ArtifactRefused as fault:
            self.refused.append(Refused(part, "artifact", str(fault)))
        return None
