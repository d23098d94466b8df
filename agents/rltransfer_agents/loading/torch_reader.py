"""Files of tensors, read without torch: the format since 1.6, and the older one."""

import io
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from rltransfer_agents.loading import limits
from rltransfer_agents.loading.pickle_machine import next_pickle, parse_pickle
from rltransfer_agents.loading.pickle_tree import (
    Call,
    Persistent,
    Reference,
    called,
    read_shape,
)
from rltransfer_agents.loading.refusal import Refusal, quoted, refusals_about
from rltransfer_agents.loading.zip_reader import list_members, read_members

_STORAGES = {
    "FloatStorage": "<f4",
    "DoubleStorage": "<f8",
    "HalfStorage": "<f2",
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "ShortStorage": "<i2",
    "CharStorage": "|i1",
    "ByteStorage": "|u1",
    "BoolStorage": "|b1",
}
_TENSOR = "torch._utils._rebuild_tensor_v2"
_PARAMETER = "torch._utils._rebuild_parameter"
_ORDERED = "collections.OrderedDict"
# Torch numbers its storages.
_LONGEST_STORAGE_KEY = 100


@final
@dataclass(frozen=True)
class Tensors:
    """The numbers of a torch file, by the keys that its pickle uses."""

    storages: Mapping[str, bytes | memoryview]

    def of(self, tree: Any) -> dict[str, NDArray[Any]]:
        """Returns the arrays that a dict of tensors describes."""
        tensors: dict[str, NDArray[Any]] = {}
        elements = 0
        for name, value in _entries(tree):
            tensors[name] = self._tensor(name, value)
            elements += tensors[name].nbytes
        most = limits.VIEWS_PER_STORAGE * sum(map(len, self.storages.values()))
        if elements > most:
            raise Refusal("limit", "tensors show the same numbers too many times")
        return tensors

    def _tensor(self, name: str, tree: Any) -> NDArray[Any]:
        arguments = _arguments(tree, _PARAMETER)
        if arguments:
            return self._tensor(name, _tensor_of_parameter(arguments[0]))
        arguments = _arguments(tree, _TENSOR)
        if len(arguments) not in (6, 7):
            raise Refusal("tensor", f"{quoted(name)} is no plain tensor")
        numbers = self._storage(name, arguments[0])
        shape, strides = read_shape(arguments[2]), read_shape(arguments[3])
        start = arguments[1]
        if type(start) is not int or start < 0 or len(strides) != len(shape):
            raise Refusal("tensor", f"{quoted(name)} has no proper strides")
        count = math.prod(shape)
        if count == 0:
            return np.zeros(shape, numbers.dtype)
        last = [(size - 1) * step for size, step in zip(shape, strides, strict=True)]
        reach = start + sum(last)
        repeated = any(
            step == 0 < size - 1 for size, step in zip(shape, strides, strict=True)
        )
        # Strides that visit a number twice could show a small file as a huge tensor.
        if repeated or reach >= numbers.size or count > numbers.size:
            raise Refusal("tensor", f"{quoted(name)} reaches beyond its numbers")
        return np.lib.stride_tricks.as_strided(
            numbers[start:],
            shape,
            [stride * numbers.itemsize for stride in strides],
            writeable=False,
        )

    def _storage(self, name: str, tree: Any) -> NDArray[Any]:
        with refusals_about(quoted(name)):
            key, dtype, count = read_place(tree)
            numbers = self.storages.get(key)
            if numbers is None:
                raise Refusal("tensor", "its numbers are missing")
            if len(numbers) != count * dtype.itemsize:
                raise Refusal(
                    "tensor",
                    f"announces {count} numbers of {dtype.itemsize} bytes, its storage "
                    f"has {len(numbers)} bytes",
                )
            return np.frombuffer(numbers, dtype)


def read_place(tree: Any) -> tuple[str, np.dtype[Any], int]:
    """Returns where numbers lie: the key, the type and the count of them."""
    place = tree.key if isinstance(tree, Persistent) else None
    # The older format adds where in another storage this one begins.
    if isinstance(place, tuple) and len(place) == 6 and place[5] is None:
        place = place[:5]
    if not isinstance(place, tuple) or len(place) != 5 or place[0] != "storage":
        raise Refusal("tensor", "does not say where its numbers are")
    _, kind, key, _, count = place
    if (
        not isinstance(kind, Reference)
        or kind.module != "torch"
        or kind.name not in _STORAGES
    ):
        raise Refusal("tensor", "has an unknown type of number")
    if not is_storage_key(key) or type(count) is not int or count < 0:
        raise Refusal("tensor", "does not say where its numbers are")
    return key, np.dtype(_STORAGES[kind.name]), count


def is_storage_key(key: Any) -> bool:
    """Tells whether a storage may be called this."""
    return isinstance(key, str) and len(key) <= _LONGEST_STORAGE_KEY


def read_places(tree: Any) -> Iterator[tuple[str, np.dtype[Any], int]]:
    """Yields where the numbers of each tensor in a dict lie."""
    for name, value in _entries(tree):
        arguments = _arguments(value, _PARAMETER)
        tensor = _arguments(arguments[0] if arguments else value, _TENSOR)
        if not tensor:
            raise Refusal("tensor", f"{quoted(name)} is no plain tensor")
        with refusals_about(quoted(name)):
            yield read_place(tensor[0])


def _entries(tree: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(tree, Call) and called(tree)[0] == _ORDERED:
        # Its state holds version numbers of modules, which say nothing here.
        tree = tree.items
    if not isinstance(tree, dict):
        raise Refusal("tensor", "a policy's weights must be one flat dict of tensors")
    if len(tree) > limits.TENSORS:
        raise Refusal("limit", f"a policy may have {limits.TENSORS} tensors")
    for name, value in tree.items():
        if not isinstance(name, str):
            raise Refusal("tensor", "tensors must have names")
        yield name, value


def _arguments(tree: Any, path: str) -> tuple[Any, ...]:
    made_by, arguments, _ = called(tree)
    return arguments if made_by == path and isinstance(arguments, tuple) else ()


def _tensor_of_parameter(tree: Any) -> Any:
    # One level only: a parameter that is its own parameter would never end.
    if not _arguments(tree, _TENSOR):
        raise Refusal("tensor", "a parameter must be a plain tensor")
    return tree


# Torch chose the number so that no other file begins with it.
_MAGIC = 0x1950A86A20F9469CFC6C
_BEGINNING = b"\x80\x02\x8a\x0a" + _MAGIC.to_bytes(10, "little") + b"."
_VERSION = 1001


def is_sequential(data: bytes) -> bool:
    """Tells whether a file has this format."""
    return data.startswith(_BEGINNING)


def read_sequential(data: bytes) -> dict[str, NDArray[Any]]:
    """Returns the arrays by name."""
    stream = io.BytesIO(data)
    next_pickle(stream)  # the magic number, which was just seen
    if next_pickle(stream) != _VERSION:
        raise Refusal("tensor", f"the old format must have version {_VERSION}")
    system = next_pickle(stream)
    if not isinstance(system, dict) or system.get("little_endian") is not True:
        raise Refusal("tensor", "a torch file must be little-endian")
    tree = next_pickle(stream, persistent=True)
    keys = next_pickle(stream)
    if not isinstance(keys, list) or not all(map(is_storage_key, keys)):
        raise Refusal("tensor", "the storages must have names")
    if len(keys) > limits.TENSORS or len(set(keys)) < len(keys):
        raise Refusal("tensor", "the storages must be few and have different names")
    places = {key: (dtype, count) for key, dtype, count in read_places(tree)}
    storages: dict[str, memoryview] = {}
    for key in keys:
        if key not in places:
            raise Refusal("tensor", "a storage belongs to no tensor")
        dtype, count = places[key]
        announced = int.from_bytes(stream.read(8), "little")
        numbers = stream.read(count * dtype.itemsize)
        if announced != count or len(numbers) != count * dtype.itemsize:
            raise Refusal("tensor", "the numbers of a tensor are cut off")
        storages[key] = memoryview(numbers)
    if stream.read(1):
        raise Refusal("tensor", "the file goes on after the last numbers")
    return Tensors(storages).of(tree)


_SIDE_MEMBERS = {"byteorder", "version", ".format_version", ".storage_alignment"}
_SIDE_MEMBERS |= {".data/serialization_id"}


def read_zipped(data: bytes) -> dict[str, NDArray[Any]]:
    """Returns the arrays by name."""
    members = read_members(
        data,
        list_members(data, _is_allowed, limits.TENSOR_FILE_MEMBERS),
        wanted=lambda name: not name.endswith("serialization_id"),
    )
    roots = {name.partition("/")[0] for name in members}
    if len(roots) != 1:
        raise Refusal("tensor", "a torch file must have one folder")
    root = roots.pop()
    if members.get(f"{root}/byteorder", b"little") != b"little":
        raise Refusal("tensor", "a torch file must be little-endian")
    if f"{root}/data.pkl" not in members:
        raise Refusal("tensor", "a torch file must have a data.pkl")
    tree = parse_pickle(members[f"{root}/data.pkl"], persistent=True)
    prefix = f"{root}/data/"
    storages = {
        name.removeprefix(prefix): contents
        for name, contents in members.items()
        if name.startswith(prefix)
    }
    return Tensors(storages).of(tree)


def _is_allowed(name: str) -> bool:
    root, _, rest = name.partition("/")
    if not root or len(root) > 64 or "\\" in name or root in (".", ".."):
        return False
    folder, _, key = rest.partition("/")
    is_storage = folder == "data" and key.isdigit() and len(key) <= 20
    return rest == "data.pkl" or rest in _SIDE_MEMBERS or is_storage


__all__ = ["read_tensors"]


def read_tensors(data: bytes) -> dict[str, NDArray[Any]]:
    """Returns the arrays of a torch file that holds one flat dict of tensors.

    The arrays are views of the file's bytes and cannot be written to.

    Raises:
        Refusal: if the file is damaged or holds anything else.
    """
    if data.startswith(b"PK"):
        return read_zipped(data)
    if is_sequential(data):
        return read_sequential(data)
    raise Refusal("tensor", "the weights must be a torch file, this is none")
