"""What a pickle describes, as a tree that was read without running it.

Plain values stand for themselves: numbers, text, bytes, lists, tuples, dicts. Trees out
of files may share parts or contain themselves, so they are never printed or compared
as a whole, and code that walks one must bound the depth.
"""

from dataclasses import dataclass, field
from itertools import chain
from typing import Any, final

from rltransfer_agents.loading.refusal import Refusal

# Names come early, and a class at most one call deeper, in the call that fills it.
_FIRST_ARGUMENTS = 8
_WRAPPINGS = 1


@final
@dataclass(frozen=True)
class Reference:
    """The name of something the pickle would import."""

    module: str
    name: str

    @property
    def path(self) -> str:
        """Module and name, joined."""
        return f"{self.module}.{self.name}"


@final
@dataclass(eq=False, repr=False)
class Call:
    """Something the pickle would make by calling a function or a class."""

    function: Any
    arguments: Any
    keywords: Any = None
    state: Any = None
    """What it would be given once made."""
    items: dict[Any, Any] = field(default_factory=dict)
    elements: list[Any] = field(default_factory=list)


@final
@dataclass(frozen=True, eq=False, repr=False)
class Persistent:
    """Something that lies outside the pickle, such as a tensor's numbers."""

    key: Any


def called(tree: Any) -> tuple[str, Any, Any]:
    """Returns the path of the function that made an object, its arguments, its state.

    What was not made by calling a name has the path "".
    """
    if isinstance(tree, Call) and isinstance(tree.function, Reference):
        return tree.function.path, tree.arguments, tree.state
    return "", None, None


def constructed(tree: Any) -> tuple[str, Any]:
    """Returns the path of the class of an object, and its state.

    Three spellings of one thing: `copyreg._reconstructor` of old protocols, and the
    class called with or without arguments. Anything else has the path "".
    """
    if not isinstance(tree, Call):
        return "", None
    made_by, state = tree.function, tree.state
    if (
        isinstance(made_by, Reference)
        and made_by.path in ("copyreg._reconstructor", "copy_reg._reconstructor")
        and isinstance(tree.arguments, tuple)
        and tree.arguments
    ):
        made_by = tree.arguments[0]
    # Some classes pickle their dict together with an empty tuple of slots.
    if isinstance(state, tuple) and len(state) == 2 and state[0] is None:
        state = state[1]
    return (made_by.path if isinstance(made_by, Reference) else ""), state


def value_name(tree: Any, wrappings: int = _WRAPPINGS) -> str | None:
    """Returns the name of a class or function pickled by value, if `tree` is one.

    Such a pickle carries the code itself, which only running it could turn into a
    class.

    Args:
        tree: out of a pickle.
        wrappings: how many calls deep a name is looked for.
    """
    if not isinstance(tree, Call) or not isinstance(tree.function, Reference):
        return None
    if not tree.function.module.startswith("cloudpickle"):
        return None
    arguments = tree.arguments if isinstance(tree.arguments, tuple) else ()
    first = arguments[:_FIRST_ARGUMENTS]
    names = (part for part in first if isinstance(part, str))
    nested = (value_name(part, wrappings - 1) for part in first if wrappings)
    return next((name for name in chain(names, nested) if name), tree.function.name)


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
        """Drops what is on top, also a mark."""
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


# Larger numbers are no keys in any agent, but could be chosen to collide in a dict.
_LARGEST_KEY = 1 << 32
# Two long texts that are equal are compared anew each time one meets the other.
_LONGEST_KEY = 1000


def set_items(container: Any, flat: list[Any]) -> None:
    """Sets entries, given as keys and values in turn."""
    entries = container.items if isinstance(container, Call) else container
    if not isinstance(entries, dict) or len(flat) % 2:
        raise broken("it sets entries of what is no dict")
    for key, value in zip(flat[::2], flat[1::2], strict=True):
        if not _is_key(key):
            raise broken(f"it uses a {type(key).__name__} as a key")
        entries[key] = value


def _is_key(key: Any) -> bool:
    if isinstance(key, int):
        return -_LARGEST_KEY < key < _LARGEST_KEY
    if isinstance(key, str | bytes):
        return len(key) <= _LONGEST_KEY
    return key is None


def extend(container: Any, values: list[Any]) -> None:
    """Appends values."""
    elements = container.elements if isinstance(container, Call) else container
    if not isinstance(elements, list):
        raise broken("it appends to what is no list")
    elements.extend(values)


def broken(reason: str) -> Refusal:
    """Returns the refusal of a pickle that contradicts itself."""
    return Refusal("pickle", f"the pickle is damaged: {reason}")
