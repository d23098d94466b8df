"""What a pickle describes, as a tree that was read without running it.

Plain values stand for themselves: numbers, text, bytes, lists, tuples, dicts. Trees out
of files may share parts or contain themselves, so they are never printed or compared
as a whole, and code that walks one must bound the depth.
"""

import math
import re
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from rltransfer_agents.loading import limits
from rltransfer_agents.loading.refusal import Refusal, quoted

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


_KINDS = re.compile(r"[<>|=]?(b1|i[1248]|u[1248]|f[248])")
_NAMES = {"float16", "float32", "float64", "int8", "int16", "int32", "int64"}
_NAMES |= {"uint8", "uint16", "uint32", "uint64", "bool", "bool_"}
_CORES = ("numpy.core", "numpy._core")
_DTYPES = ("numpy.dtype", *(f"{core}.multiarray.dtype" for core in _CORES))


def read_dtype(tree: Any) -> np.dtype[Any]:
    """Returns a type of numbers or truth values; structures and objects are refused.

    What is read already, as in our own bundles, passes through here and below.
    """
    if isinstance(tree, np.dtype):
        return tree
    if isinstance(tree, Reference) and tree.module == "numpy" and tree.name in _NAMES:
        return np.dtype(tree.name.rstrip("_"))
    path, arguments, state = called(tree)
    if path in _DTYPES or path.startswith("numpy.dtypes."):
        code = arguments[0] if isinstance(arguments, tuple) and arguments else None
        if isinstance(code, str) and _KINDS.fullmatch(code):
            return _with_byte_order(np.dtype(code), state)
    raise Refusal("tensor", "an array's type must be a plain number type, this is not")


def read_array(tree: Any) -> NDArray[Any]:
    """Returns an array, or a single number as an array without dimensions."""
    if isinstance(tree, bool | float) or (
        isinstance(tree, int) and abs(tree) < 1 << 63
    ):
        return np.asarray(tree)
    if isinstance(tree, np.ndarray):
        return tree
    numbers = tree if isinstance(tree, list) else []
    if numbers and all(type(n) is int and abs(n) < 1 << 32 for n in numbers):
        return np.array(tree, np.int64)
    path, arguments, state = called(tree)
    order: Any = "C"
    if path in [f"{core}.multiarray._reconstruct" for core in _CORES]:
        _, shape, dtype, fortran, buffer = _parts(state, 5)
        order = "F" if fortran is True else "C"
    elif path in [f"{core}.numeric._frombuffer" for core in _CORES]:
        buffer, dtype, shape, order = _parts(arguments, 4)
    elif path in [f"{core}.multiarray.scalar" for core in _CORES]:
        (dtype, buffer), shape = _parts(arguments, 2), ()
    else:
        raise Refusal("tensor", f"an array cannot be made by {quoted(path)}")
    if order not in ("C", "F"):
        raise Refusal("tensor", "an array's order must be C or F")
    return _from_buffer(
        _bytes(buffer), read_dtype(dtype), read_shape(shape), fortran=order == "F"
    )


def read_shape(tree: Any) -> tuple[int, ...]:
    """Returns a shape of bounded rank and size."""
    sizes = (tree,) if isinstance(tree, int) else tree
    if (
        not isinstance(sizes, tuple | list)
        or len(sizes) > limits.DIMENSIONS
        or not all(type(size) is int and size >= 0 for size in sizes)
    ):
        raise Refusal(
            "tensor", f"a shape must be at most {limits.DIMENSIONS} whole numbers"
        )
    if math.prod(sizes) > limits.MEMBER_BYTES:
        raise Refusal("limit", "an array announces more elements than a file may hold")
    return tuple(sizes)


def read_integer(tree: Any, what: str) -> int:
    """Returns a whole number of Python or NumPy."""
    number = read_array(tree)
    if number.ndim or number.dtype.kind not in "iu":
        raise Refusal("space", f"{what} must be a whole number")
    return int(number)


def read_number(tree: Any, what: str) -> float:
    """Returns a finite number of Python or NumPy."""
    number = read_array(tree)
    if number.ndim or not math.isfinite(number):
        raise Refusal("non-finite", f"{what} must be a finite number")
    return float(number)


def _parts(tree: Any, count: int) -> tuple[Any, ...]:
    if not isinstance(tree, tuple) or len(tree) != count:
        raise Refusal("tensor", f"an array must be described by {count} values")
    return tree


def _bytes(tree: Any) -> bytes:
    if isinstance(tree, bytes | bytearray):
        return bytes(tree)
    # Protocol 2 writes bytes as text and the name of the encoding that undoes it.
    path, arguments, _ = called(tree)
    if path == "_codecs.encode":
        text, encoding = _parts(arguments, 2)
        if isinstance(text, str) and encoding in ("latin1", "latin-1"):
            try:
                return text.encode("latin-1")
            except UnicodeEncodeError as fault:
                raise Refusal("tensor", "an array's text is not Latin-1") from fault
    raise Refusal("tensor", "an array's numbers must be bytes")


def _with_byte_order(dtype: np.dtype[Any], state: Any) -> np.dtype[Any]:
    if state is None:
        return dtype
    if (
        not isinstance(state, tuple)
        or len(state) < 5
        or state[1] not in ("<", ">", "|", "=")
        or any(part is not None for part in state[2:5])
    ):
        raise Refusal("tensor", "an array's type must be a plain number type")
    return dtype if state[1] == "|" else dtype.newbyteorder(state[1])


def _from_buffer(
    buffer: bytes, dtype: np.dtype[Any], shape: tuple[int, ...], *, fortran: bool
) -> NDArray[Any]:
    if len(buffer) != math.prod(shape) * dtype.itemsize:
        raise Refusal(
            "tensor",
            f"an array of shape {shape} and type {dtype} must have "
            f"{math.prod(shape) * dtype.itemsize} bytes, got {len(buffer)}",
        )
    if dtype.kind == "b" and np.frombuffer(buffer, np.uint8).max(initial=0) > 1:
        raise Refusal("tensor", "a truth value must be 0 or 1")
    array = np.frombuffer(buffer, dtype).reshape(shape, order="F" if fortran else "C")
    return array.astype(dtype.newbyteorder("="))
