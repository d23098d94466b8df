"""Pickles read as data: what they would import or call becomes a name."""

import io
import pickletools
from collections.abc import Callable, Iterator
from typing import Any

from rltransfer_agents.loading import limits
from rltransfer_agents.loading.pickle_tree import (
    MARK,
    Call,
    Persistent,
    Reference,
    Stack,
    broken,
    extend,
    set_items,
)
from rltransfer_agents.loading.refusal import Refusal, quoted

# EXT codes look names up in a registry of the process, INST and OBJ call classes of
# Python 2, NEXT_BUFFER and PERSID take what lies outside: no agent needs any of them.
_REFUSED = {"EXT1", "EXT2", "EXT4", "INST", "OBJ", "NEXT_BUFFER", "READONLY_BUFFER"}
_REFUSED |= {"PERSID"}
_ACCEPTED = {
    operation.code.encode("latin-1"): operation
    for operation in pickletools.opcodes
    if operation.name not in _REFUSED
}


def instructions(stream: io.BytesIO) -> Iterator[tuple[str, Any]]:
    """Yields the name and argument of each instruction, up to and with STOP.

    Args:
        stream: where a pickle begins; it is left where the pickle ends.

    Raises:
        Refusal: if the pickle is damaged or uses an instruction no agent needs.
    """
    for _ in range(limits.PICKLE_OPCODES):
        code = stream.read(1)
        if code not in _ACCEPTED:
            reason = f"has instruction {quoted(code)}" if code else "has no end"
            raise Refusal("pickle", f"the pickle {reason}, which no agent's has")
        operation = _ACCEPTED[code]
        argument = None
        if operation.arg is not None:
            try:
                argument = operation.arg.reader(stream)
            # Readers raise ValueError and its kind for anything cut off or malformed.
            except (ValueError, IndexError, OverflowError) as fault:
                raise Refusal(
                    "pickle", f"the pickle breaks off or is damaged at {operation.name}"
                ) from fault
        yield operation.name, argument
        if operation.name == "STOP":
            return
    raise Refusal(
        "limit",
        f"a pickle may have {limits.PICKLE_OPCODES} instructions, this one has more",
    )


Instruction = Callable[[Stack, Any], None]


def _skip(stack: Stack, argument: Any) -> None:
    """Leaves out what only helps a real unpickler along."""


def _value(stack: Stack, argument: Any) -> None:
    stack.push(argument)


def _text(stack: Stack, argument: Any) -> None:
    # Python 2 wrote its bytes as text; the encoding loses nothing.
    is_text = isinstance(argument, str)
    stack.push(argument if is_text else argument.decode("latin-1"))


def _tuple_of(count: int) -> Instruction:
    def make(stack: Stack, argument: Any) -> None:
        parts = [stack.pop() for _ in range(count)]
        stack.push(tuple(reversed(parts)))

    return make


def _discard_to_mark(stack: Stack, argument: Any) -> None:
    stack.pop_to_mark()


def _dict(stack: Stack, argument: Any) -> None:
    entries: dict[Any, Any] = {}
    set_items(entries, stack.pop_to_mark())
    stack.push(entries)


def _frozenset(stack: Stack, argument: Any) -> None:
    elements = stack.pop_to_mark()
    stack.push(Call(Reference("builtins", "frozenset"), (elements,)))


def _append(stack: Stack, argument: Any) -> None:
    value = stack.pop()
    extend(stack.top(), [value])


def _append_to_mark(stack: Stack, argument: Any) -> None:
    values = stack.pop_to_mark()
    extend(stack.top(), values)


def _set_item(stack: Stack, argument: Any) -> None:
    value, key = stack.pop(), stack.pop()
    set_items(stack.top(), [key, value])


def _set_to_mark(stack: Stack, argument: Any) -> None:
    pairs = stack.pop_to_mark()
    set_items(stack.top(), pairs)


def _refer(stack: Stack, argument: Any) -> None:
    module, _, name = argument.partition(" ")
    stack.push(Reference(module, name))


def _refer_from_stack(stack: Stack, argument: Any) -> None:
    name, module = stack.pop(), stack.pop()
    if not isinstance(name, str) or not isinstance(module, str):
        raise broken("it refers to something that has no name")
    stack.push(Reference(module, name))


def _refer_outside(stack: Stack, argument: Any) -> None:
    if not stack.persistent:
        raise broken("it refers to values outside itself")
    stack.push(Persistent(stack.pop()))


def _call(stack: Stack, argument: Any) -> None:
    arguments, function = stack.pop(), stack.pop()
    stack.push(Call(function, arguments))


def _call_with_keywords(stack: Stack, argument: Any) -> None:
    keywords, arguments, function = stack.pop(), stack.pop(), stack.pop()
    stack.push(Call(function, arguments, keywords))


def _give_state(stack: Stack, argument: Any) -> None:
    state, made = stack.pop(), stack.top()
    if not isinstance(made, Call):
        raise broken("it gives a state to what is no object")
    made.state = state


_VALUES = "INT BININT BININT1 BININT2 LONG LONG1 LONG4 FLOAT BINFLOAT UNICODE".split()
_VALUES += "BINUNICODE SHORT_BINUNICODE BINUNICODE8 SHORT_BINBYTES BINBYTES".split()
_VALUES += "BINBYTES8 BYTEARRAY8".split()

# An instruction that is in neither this table nor refused would be a KeyError; a test
# holds the two against pickle's own list.
INSTRUCTIONS: dict[str, Instruction] = {
    **dict.fromkeys(("PROTO", "FRAME", "STOP"), _skip),
    **dict.fromkeys(_VALUES, _value),
    **dict.fromkeys(("STRING", "BINSTRING", "SHORT_BINSTRING"), _text),
    **dict.fromkeys(("PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE"), Stack.store),
    **dict.fromkeys(("GET", "BINGET", "LONG_BINGET"), Stack.recall),
    "NONE": lambda stack, _: stack.push(None),
    "NEWTRUE": lambda stack, _: stack.push(True),
    "NEWFALSE": lambda stack, _: stack.push(False),
    "EMPTY_LIST": lambda stack, _: stack.push([]),
    "EMPTY_TUPLE": lambda stack, _: stack.push(()),
    "EMPTY_DICT": lambda stack, _: stack.push({}),
    "EMPTY_SET": lambda stack, _: stack.push(Call(Reference("builtins", "set"), ())),
    "MARK": lambda stack, _: stack.push(MARK),
    "POP": lambda stack, _: stack.discard(),
    "POP_MARK": _discard_to_mark,
    "DUP": lambda stack, _: stack.push(stack.top()),
    "TUPLE": lambda stack, _: stack.push(tuple(stack.pop_to_mark())),
    "TUPLE1": _tuple_of(1),
    "TUPLE2": _tuple_of(2),
    "TUPLE3": _tuple_of(3),
    "LIST": lambda stack, _: stack.push(stack.pop_to_mark()),
    "DICT": _dict,
    "FROZENSET": _frozenset,
    "APPEND": _append,
    "APPENDS": _append_to_mark,
    "ADDITEMS": _append_to_mark,
    "SETITEM": _set_item,
    "SETITEMS": _set_to_mark,
    "GLOBAL": _refer,
    "STACK_GLOBAL": _refer_from_stack,
    "BINPERSID": _refer_outside,
    "REDUCE": _call,
    "NEWOBJ": _call,
    "NEWOBJ_EX": _call_with_keywords,
    "BUILD": _give_state,
}


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
    """Returns what the next pickle in a stream describes, as `parse_pickle` does."""
    stack = Stack(persistent=persistent)
    for name, argument in instructions(stream):
        INSTRUCTIONS[name](stack, argument)
    return stack.result()
