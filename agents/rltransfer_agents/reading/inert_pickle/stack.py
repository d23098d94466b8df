"""Stack and memo of one pickle."""

from typing import Any, final

from rltransfer_agents.reading.inert_pickle.containers import broken


@final
class Mark:
    """Marks on the stack where a variable number of values begins."""


MARK = Mark()


@final
class Stack:
    """Values on top of each other, and those that can be recalled by number."""

    def __init__(self, *, persistent: bool) -> None:
        self.persistent = persistent
        """Whether values may lie outside the pickle."""
        self._values: list[Any] = []
        self._memo: dict[int, Any] = {}

    def push(self, value: Any) -> None:
        """Puts a value on top."""
        self._values.append(value)

    def top(self) -> Any:
        """Returns the value on top."""
        if not self._values or self._values[-1] is MARK:
            raise broken("it uses a value that is not there")
        return self._values[-1]

    def pop(self) -> Any:
        """Takes the value on top."""
        value = self.top()
        del self._values[-1]
        return value

    def pop_to_mark(self) -> list[Any]:
        """Takes all values above the last mark, and the mark."""
        for place in range(len(self._values) - 1, -1, -1):
            if self._values[place] is MARK:
                values = self._values[place + 1 :]
                del self._values[place:]
                return values
        raise broken("it closes what it never opened")

    def discard(self) -> None:
        """Drops what is on top, be it a mark."""
        if not self._values:
            raise broken("it discards a value that is not there")
        del self._values[-1]

    def store(self, number: int | None) -> None:
        """Remembers the value on top, under the next number if none is given."""
        self._memo[len(self._memo) if number is None else number] = self.top()

    def recall(self, number: int) -> None:
        """Puts a remembered value on top."""
        if number not in self._memo:
            raise broken("it recalls what it never stored")
        self._values.append(self._memo[number])

    def result(self) -> Any:
        """Takes the one value that is left."""
        value = self.pop()
        if self._values:
            raise broken("it leaves more than one value")
        return value
