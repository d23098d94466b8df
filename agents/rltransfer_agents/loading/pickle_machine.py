"""Pickles read as data: what they would import or call becomes a name."""

import io
import pickletools
from typing import Any, final

from rltransfer_agents.loading import limits
from rltransfer_agents.loading.pickle_tree import Call, Persistent, Reference
from rltransfer_agents.loading.refusal import Refusal


def parse_pickle(data: bytes, *, persistent: bool = False) -> Any:
    """Returns what a pickle describes, as a tree.

    Args:
        data: exactly one pickle.
        persistent: whether parts may lie outside it, as tensors do in torch's files.

    Raises:
        Refusal: if it is damaged or does what no agent's pickle does.
    """
    if len(data) > limits.PICKLE_BYTES:
        raise Refusal(
            "limit", f"a pickle may have {limits.PICKLE_BYTES} bytes, got {len(data)}"
        )
    stream = io.BytesIO(data)
    tree = next_pickle(stream, persistent=persistent)
    if stream.read(1):
        raise Refusal("pickle", "the pickle goes on after its end")
    return tree


def next_pickle(stream: io.BytesIO, *, persistent: bool = False) -> Any:
    """Returns what the next pickle in a stream describes, as `parse_pickle` does.

    Args:
        stream: where the pickle begins; it is left where the pickle ends.
        persistent: as for `parse_pickle`.
    """
    machine = Machine(persistent=persistent)
    try:
        for place, (operation, argument, _) in enumerate(pickletools.genops(stream)):
            if place >= limits.PICKLE_OPCODES:
                raise Refusal(
                    "limit",
                    f"a pickle may have {limits.PICKLE_OPCODES} instructions, this one "
                    "has more",
                )
            machine.step(operation.name, argument)
    except Refusal:
        raise
    # Raised for anything unknown, cut off or malformed.
    except (ValueError, IndexError, OverflowError) as fault:
        raise broken("it breaks off, or no instruction begins where one should") from (
            fault
        )
    return machine.result()


_VALUES = frozenset(
    "INT BININT BININT1 BININT2 LONG LONG1 LONG4 FLOAT BINFLOAT UNICODE BINUNICODE "
    "SHORT_BINUNICODE BINUNICODE8 SHORT_BINBYTES BINBYTES BINBYTES8 BYTEARRAY8 "
    # Python 2 wrote its bytes as text; the encoding loses nothing.
    "STRING BINSTRING SHORT_BINSTRING".split()
)
"""Instructions whose argument is the value."""
_MARK = object()
"""On the stack where a variable number of values begins."""


@final
class Machine:
    """What a pickle has made so far; nothing is imported, called or given a state."""

    def __init__(self, *, persistent: bool = False) -> None:
        self._persistent = persistent
        self._stack: list[Any] = []
        self._memo: dict[int, Any] = {}

    def step(self, name: str, argument: Any) -> None:
        """Follows one instruction.

        Args:
            name: as `pickletools` has it.
            argument: that follows it in the pickle, if one does.
        """
        push, pop = self._stack.append, self._pop
        if name in _VALUES:
            push(argument)
            return
        match name:
            case "PROTO" | "FRAME" | "STOP":
                pass  # helps only a real unpickler along
            case "PUT" | "BINPUT" | "LONG_BINPUT" | "MEMOIZE":
                number = len(self._memo) if argument is None else argument
                self._memo[number] = self._top()
            case "GET" | "BINGET" | "LONG_BINGET":
                if argument not in self._memo:
                    raise broken("it recalls what it never stored")
                push(self._memo[argument])
            case "NONE":
                push(None)
            case "NEWTRUE" | "NEWFALSE":
                push(name == "NEWTRUE")
            case "MARK":
                push(_MARK)
            case "POP":
                if not self._stack:
                    raise broken("it discards a value that is not there")
                del self._stack[-1]
            case "POP_MARK":
                self._pop_to_mark()
            case "DUP":
                push(self._top())
            case "EMPTY_TUPLE":
                push(())
            case "TUPLE1" | "TUPLE2" | "TUPLE3":
                push(tuple([pop() for _ in range(int(name[-1]))][::-1]))
            case "TUPLE":
                push(tuple(self._pop_to_mark()))
            case "EMPTY_LIST":
                push([])
            case "LIST":
                push(self._pop_to_mark())
            case "APPEND":
                value = pop()
                _extend(self._top(), [value])
            case "APPENDS" | "ADDITEMS":
                values = self._pop_to_mark()
                _extend(self._top(), values)
            case "EMPTY_DICT":
                push({})
            case "DICT":
                entries: dict[Any, Any] = {}
                _set_items(entries, self._pop_to_mark())
                push(entries)
            case "SETITEM":
                value, key = pop(), pop()
                _set_items(self._top(), [key, value])
            case "SETITEMS":
                pairs = self._pop_to_mark()
                _set_items(self._top(), pairs)
            case "EMPTY_SET":
                push(Call(Reference("builtins", "set"), ()))
            case "FROZENSET":
                elements = self._pop_to_mark()
                push(Call(Reference("builtins", "frozenset"), (elements,)))
            case "GLOBAL":
                module, _, attribute = argument.partition(" ")
                push(Reference(module, attribute))
            case "STACK_GLOBAL":
                attribute, module = pop(), pop()
                if not isinstance(attribute, str) or not isinstance(module, str):
                    raise broken("it refers to something that has no name")
                push(Reference(module, attribute))
            case "BINPERSID":
                if not self._persistent:
                    raise broken("it refers to values outside itself")
                push(Persistent(pop()))
            case "REDUCE" | "NEWOBJ":
                arguments, function = pop(), pop()
                push(Call(function, arguments))
            case "NEWOBJ_EX":
                keywords, arguments, function = pop(), pop(), pop()
                push(Call(function, arguments, keywords))
            case "BUILD":
                state, made = pop(), self._top()
                if not isinstance(made, Call):
                    raise broken("it gives a state to what is no object")
                made.state = state
            case _:
                # EXT codes look names up in a registry of the process, INST and OBJ
                # call classes of Python 2, buffers and PERSID take what lies outside.
                raise Refusal(
                    "pickle", f"the pickle has instruction {name}, which no agent's has"
                )

    def result(self) -> Any:
        """Returns the one value that is left."""
        value = self._pop()
        if self._stack:
            raise broken("it leaves more than one value")
        return value

    def _top(self) -> Any:
        if not self._stack or self._stack[-1] is _MARK:
            raise broken("it uses a value that is not there")
        return self._stack[-1]

    def _pop(self) -> Any:
        value = self._top()
        del self._stack[-1]
        return value

    def _pop_to_mark(self) -> list[Any]:
        for place in range(len(self._stack) - 1, -1, -1):
            if self._stack[place] is _MARK:
                values = self._stack[place + 1 :]
                del self._stack[place:]
                return values
        raise broken("it closes what it never opened")


# Larger numbers are no keys in any agent, but could be chosen to collide in a dict.
_LARGEST_KEY = 1 << 32
# Two long texts that are equal are compared anew each time one meets the other.
_LONGEST_KEY = 1000


def _set_items(container: Any, flat: list[Any]) -> None:
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


def _extend(container: Any, values: list[Any]) -> None:
    elements = container.elements if isinstance(container, Call) else container
    if not isinstance(elements, list):
        raise broken("it appends to what is no list")
    elements.extend(values)


def broken(reason: str) -> Refusal:
    """Returns the refusal of a pickle that contradicts itself."""
    return Refusal("pickle", f"the pickle is damaged: {reason}")
