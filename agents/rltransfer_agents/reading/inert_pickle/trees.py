"""What a pickle consists of once it is read without being obeyed.

Plain values stand for themselves: numbers, text, bytes, lists, tuples, dicts. Trees out
of files may share parts or contain themselves, so they are never printed or compared
as a whole, and whoever walks one bounds the depth.
"""

from dataclasses import dataclass, field
from itertools import chain
from typing import Any, final

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
