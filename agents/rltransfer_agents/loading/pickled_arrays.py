"""NumPy's values out of pickles."""

import math
import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rltransfer_agents.loading import limits
from rltransfer_agents.loading.pickle_tree import Reference, called
from rltransfer_agents.loading.refusal import Refusal, quoted

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
