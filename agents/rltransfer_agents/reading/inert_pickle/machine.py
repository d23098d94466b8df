"""The stack machine of pickle, with all that imports or calls replaced by names."""

import io
from collections.abc import Callable
from typing import Any, final

from rltransfer_agents.reading import limits
from rltransfer_agents.reading.inert_pickle.opcodes import instructions
from rltransfer_agents.reading.inert_pickle.trees import Call, Persistent, Reference
from rltransfer_agents.reading.refusal import Refusal

# Larger numbers are no keys in any agent, but could be chosen to collide in a dict.
_LARGEST_KEY = 1 << 32


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
    machine = _Machine(persistent=persistent)
    for name, argument in instructions(stream):
        machine.obey(name, argument)
    return machine.result()


@final
class _Mark:
    """Marks on the stack where a variable number of values begins."""


_MARK = _Mark()


@final
class _Machine:
    """Stack and memo of one pickle."""

    def __init__(self, *, persistent: bool) -> None:
        self._stack: list[Any] = []
        self._memo: dict[int, Any] = {}
        self._persistent = persistent

    def obey(self, name: str, argument: Any) -> None:
        """Carries out one instruction."""
        if name in _LITERALS:
            self._stack.append(argument)
        elif name in _CONSTANTS:
            self._stack.append(_CONSTANTS[name]())
        elif name in _MEMO_WRITES:
            self._memo[len(self._memo) if argument is None else argument] = self._top()
        elif name in _MEMO_READS:
            if argument not in self._memo:
                raise _broken("it recalls what it never stored")
            self._stack.append(self._memo[argument])
        elif name in _FIXED_TUPLES:
            parts = [self._pop() for _ in range(_FIXED_TUPLES[name])]
            self._stack.append(tuple(reversed(parts)))
        else:
            _INSTRUCTIONS[name](self, argument)

    def result(self) -> Any:
        """Returns the one value that is left."""
        value = self._pop()
        if self._stack:
            raise _broken("it leaves more than one value")
        return value

    def _top(self) -> Any:
        if not self._stack or self._stack[-1] is _MARK:
            raise _broken("it uses a value that is not there")
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
        raise _broken("it closes what it never opened")

    def skip(self, argument: Any) -> None:
        """Leaves out what only speeds a real unpickler up."""

    def mark(self, argument: Any) -> None:
        self._stack.append(_MARK)

    def discard(self, argument: Any) -> None:
        if not self._stack:
            raise _broken("it discards a value that is not there")
        del self._stack[-1]

    def discard_to_mark(self, argument: Any) -> None:
        self._pop_to_mark()

    def repeat(self, argument: Any) -> None:
        self._stack.append(self._top())

    def text(self, argument: Any) -> None:
        # Python 2 wrote its bytes as text; the encoding loses nothing.
        self._stack.append(
            argument if isinstance(argument, str) else argument.decode("latin-1")
        )

    def tuple_to_mark(self, argument: Any) -> None:
        self._stack.append(tuple(self._pop_to_mark()))

    def list_to_mark(self, argument: Any) -> None:
        self._stack.append(self._pop_to_mark())

    def dict_to_mark(self, argument: Any) -> None:
        entries: dict[Any, Any] = {}
        _set_items(entries, self._pop_to_mark())
        self._stack.append(entries)

    def frozenset_to_mark(self, argument: Any) -> None:
        elements = self._pop_to_mark()
        self._stack.append(Call(Reference("builtins", "frozenset"), (elements,)))

    def append(self, argument: Any) -> None:
        value = self._pop()
        _extend(self._top(), [value])

    def append_to_mark(self, argument: Any) -> None:
        values = self._pop_to_mark()
        _extend(self._top(), values)

    def set_item(self, argument: Any) -> None:
        value, key = self._pop(), self._pop()
        _set_items(self._top(), [key, value])

    def set_to_mark(self, argument: Any) -> None:
        pairs = self._pop_to_mark()
        _set_items(self._top(), pairs)

    def refer(self, argument: Any) -> None:
        module, _, name = argument.partition(" ")
        self._stack.append(Reference(module, name))

    def refer_from_stack(self, argument: Any) -> None:
        name, module = self._pop(), self._pop()
        if not isinstance(name, str) or not isinstance(module, str):
            raise _broken("it refers to something that has no name")
        self._stack.append(Reference(module, name))

    def call(self, argument: Any) -> None:
        arguments, function = self._pop(), self._pop()
        self._stack.append(Call(function, arguments))

    def call_with_keywords(self, argument: Any) -> None:
        keywords, arguments, function = self._pop(), self._pop(), self._pop()
        self._stack.append(Call(function, arguments, keywords))

    def give_state(self, argument: Any) -> None:
        state, made = self._pop(), self._top()
        if not isinstance(made, Call):
            raise _broken("it gives a state to what is no object")
        made.state = state

    def refer_outside(self, argument: Any) -> None:
        if not self._persistent:
            raise _broken("it refers to values outside itself")
        self._stack.append(Persistent(self._pop()))


def _set_items(container: Any, flat: list[Any]) -> None:
    entries = container.items if isinstance(container, Call) else container
    if not isinstance(entries, dict) or len(flat) % 2:
        raise _broken("it sets entries of what is no dict")
    for key, value in zip(flat[::2], flat[1::2], strict=True):
        if not _is_key(key):
            raise _broken(f"it uses a {type(key).__name__} as a key")
        entries[key] = value


def _is_key(key: Any) -> bool:
    if isinstance(key, int):
        return -_LARGEST_KEY < key < _LARGEST_KEY
    return key is None or isinstance(key, str | bytes)


def _extend(container: Any, values: list[Any]) -> None:
    elements = container.elements if isinstance(container, Call) else container
    if not isinstance(elements, list):
        raise _broken("it appends to what is no list")
    elements.extend(values)


def _broken(reason: str) -> Refusal:
    return Refusal("pickle", f"the pickle is damaged: {reason}")


def _empty_set() -> Call:
    return Call(Reference("builtins", "set"), ())


_CONSTANTS: dict[str, Callable[[], Any]] = {
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
    "EMPTY_LIST": list,
    "EMPTY_TUPLE": tuple,
    "EMPTY_DICT": dict,
    "EMPTY_SET": _empty_set,
}
_LITERALS = {"INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4"}
_LITERALS |= {"FLOAT", "BINFLOAT", "UNICODE", "BINUNICODE", "SHORT_BINUNICODE"}
_LITERALS |= {"BINUNICODE8", "SHORT_BINBYTES", "BINBYTES", "BINBYTES8", "BYTEARRAY8"}
_MEMO_WRITES = {"PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE"}
_MEMO_READS = {"GET", "BINGET", "LONG_BINGET"}
_FIXED_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_INSTRUCTIONS: dict[str, Callable[[_Machine, Any], None]] = {
    "PROTO": _Machine.skip,
    "FRAME": _Machine.skip,
    "STOP": _Machine.skip,
    "MARK": _Machine.mark,
    "POP": _Machine.discard,
    "POP_MARK": _Machine.discard_to_mark,
    "DUP": _Machine.repeat,
    "STRING": _Machine.text,
    "BINSTRING": _Machine.text,
    "SHORT_BINSTRING": _Machine.text,
    "TUPLE": _Machine.tuple_to_mark,
    "LIST": _Machine.list_to_mark,
    "DICT": _Machine.dict_to_mark,
    "FROZENSET": _Machine.frozenset_to_mark,
    "APPEND": _Machine.append,
    "APPENDS": _Machine.append_to_mark,
    "ADDITEMS": _Machine.append_to_mark,
    "SETITEM": _Machine.set_item,
    "SETITEMS": _Machine.set_to_mark,
    "GLOBAL": _Machine.refer,
    "STACK_GLOBAL": _Machine.refer_from_stack,
    "REDUCE": _Machine.call,
    "NEWOBJ": _Machine.call,
    "NEWOBJ_EX": _Machine.call_with_keywords,
    "BUILD": _Machine.give_state,
    "BINPERSID": _Machine.refer_outside,
}
