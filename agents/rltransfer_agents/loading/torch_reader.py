"""Files of tensors, read without torch: the format since 1.6, and the older one."""

import io
import math
from collections.abc import Mapping
from typing import Any, NamedTuple

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


class _View(NamedTuple):
    """A tensor, as a view of the numbers in a storage."""

    storage: str
    dtype: np.dtype[Any]
    numbers: int
    """That the storage holds."""
    start: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def _views(tree: Any) -> dict[str, _View]:
    """Returns the tensors that a dict describes, by their names."""
    if isinstance(tree, Call) and called(tree)[0] == _ORDERED:
        # Its state holds version numbers of modules, which say nothing here.
        tree = tree.items
    if not isinstance(tree, dict):
        raise Refusal("tensor", "a policy's weights must be one flat dict of tensors")
    if len(tree) > limits.TENSORS:
        raise Refusal("limit", f"a policy may have {limits.TENSORS} tensors")
    if not all(isinstance(name, str) for name in tree):
        raise Refusal("tensor", "tensors must have names")
    views = {}
    for name, value in tree.items():
        with refusals_about(quoted(name)):
            views[name] = _view(value)
    return views


def _view(tree: Any) -> _View:
    # One level only: a parameter that is its own parameter would never end.
    parameter = _arguments(tree, _PARAMETER)
    arguments = _arguments(parameter[0] if parameter else tree, _TENSOR)
    if len(arguments) not in (6, 7):
        raise Refusal("tensor", "it is no plain tensor")
    place, start = arguments[0], arguments[1]
    place = place.key if isinstance(place, Persistent) else None
    # The older format adds where in another storage this one begins.
    if isinstance(place, tuple) and len(place) == 6 and place[5] is None:
        place = place[:5]
    if not isinstance(place, tuple) or len(place) != 5 or place[0] != "storage":
        raise Refusal("tensor", "it does not say where its numbers are")
    _, kind, key, _, count = place
    if (
        not isinstance(kind, Reference)
        or kind.module != "torch"
        or kind.name not in _STORAGES
    ):
        raise Refusal("tensor", "it has an unknown type of number")
    if not _is_storage_key(key) or type(count) is not int or count < 0:
        raise Refusal("tensor", "it does not say where its numbers are")
    shape, strides = read_shape(arguments[2]), read_shape(arguments[3])
    if type(start) is not int or start < 0 or len(strides) != len(shape):
        raise Refusal("tensor", "it has no proper strides")
    return _View(key, np.dtype(_STORAGES[kind.name]), count, start, shape, strides)


def _arguments(tree: Any, path: str) -> tuple[Any, ...]:
    made_by, arguments, _ = called(tree)
    return arguments if made_by == path and isinstance(arguments, tuple) else ()


def _is_storage_key(key: Any) -> bool:
    return isinstance(key, str) and len(key) <= _LONGEST_STORAGE_KEY


def _arrays(
    views: Mapping[str, _View], storages: Mapping[str, bytes | memoryview]
) -> dict[str, NDArray[Any]]:
    """Returns tensors as views of the bytes of the storages."""
    arrays = {}
    for name, view in views.items():
        with refusals_about(quoted(name)):
            arrays[name] = _array(view, storages.get(view.storage))
    most = limits.VIEWS_PER_STORAGE * sum(map(len, storages.values()))
    if sum(array.nbytes for array in arrays.values()) > most:
        raise Refusal("limit", "tensors show the same numbers too many times")
    return arrays


def _array(view: _View, stored: bytes | memoryview | None) -> NDArray[Any]:
    if stored is None:
        raise Refusal("tensor", "its numbers are missing")
    size = view.dtype.itemsize
    if len(stored) != view.numbers * size:
        raise Refusal(
            "tensor",
            f"it announces {view.numbers} numbers of {size} bytes, its storage has "
            f"{len(stored)} bytes",
        )
    count = math.prod(view.shape)
    if count == 0:
        return np.zeros(view.shape, view.dtype)
    axes = list(zip(view.shape, view.strides, strict=True))
    reach = view.start + sum((length - 1) * step for length, step in axes)
    # Strides that visit a number twice could show a small file as a huge tensor.
    repeated = any(step == 0 < length - 1 for length, step in axes)
    if repeated or reach >= view.numbers or count > view.numbers:
        raise Refusal("tensor", "it reaches beyond its numbers")
    return np.lib.stride_tricks.as_strided(
        np.frombuffer(stored, view.dtype)[view.start :],
        view.shape,
        [step * size for step in view.strides],
        writeable=False,
    )


# Torch chose the number so that no other file begins with it.
_MAGIC = 0x1950A86A20F9469CFC6C
_BEGINNING = b"\x80\x02\x8a\x0a" + _MAGIC.to_bytes(10, "little") + b"."
_VERSION = 1001


def _read_sequential(data: bytes) -> dict[str, NDArray[Any]]:
    stream = io.BytesIO(data)
    next_pickle(stream)  # the magic number, which was just seen
    if next_pickle(stream) != _VERSION:
        raise Refusal("tensor", f"the old format must have version {_VERSION}")
    system = next_pickle(stream)
    if not isinstance(system, dict) or system.get("little_endian") is not True:
        raise Refusal("tensor", "a torch file must be little-endian")
    views = _views(next_pickle(stream, persistent=True))
    keys = next_pickle(stream)
    if not isinstance(keys, list) or not all(map(_is_storage_key, keys)):
        raise Refusal("tensor", "the storages must have names")
    if len(keys) > limits.TENSORS or len(set(keys)) < len(keys):
        raise Refusal("tensor", "the storages must be few and have different names")
    places = {view.storage: view for view in views.values()}
    storages: dict[str, memoryview] = {}
    for key in keys:
        if key not in places:
            raise Refusal("tensor", "a storage belongs to no tensor")
        count = places[key].numbers
        size = count * places[key].dtype.itemsize
        announced = int.from_bytes(stream.read(8), "little")
        numbers = stream.read(size)
        if announced != count or len(numbers) != size:
            raise Refusal("tensor", "the numbers of a tensor are cut off")
        storages[key] = memoryview(numbers)
    if stream.read(1):
        raise Refusal("tensor", "the file goes on after the last numbers")
    return _arrays(views, storages)


_SIDE_MEMBERS = {"byteorder", "version", ".format_version", ".storage_alignment"}
_SIDE_MEMBERS |= {".data/serialization_id"}


def _read_zipped(data: bytes) -> dict[str, NDArray[Any]]:
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
    views = _views(parse_pickle(members[f"{root}/data.pkl"], persistent=True))
    prefix = f"{root}/data/"
    storages = {
        name.removeprefix(prefix): contents
        for name, contents in members.items()
        if name.startswith(prefix)
    }
    return _arrays(views, storages)


def _is_allowed(name: str) -> bool:
    root, _, rest = name.partition("/")
    if not root or len(root) > 64 or "\\" in name or root in (".", ".."):
        return False
    folder, _, key = rest.partition("/")
    is_storage = folder == "data" and key.isdigit() and len(key) <= 20
    return rest == "data.pkl" or rest in _SIDE_MEMBERS or is_storage


def read_tensors(data: bytes) -> dict[str, NDArray[Any]]:
    """Returns the arrays of a torch file that holds one flat dict of tensors.

    The arrays are views of the file's bytes and cannot be written to.

    Raises:
        Refusal: if the file is damaged or holds anything else.
    """
    if data.startswith(b"PK"):
        return _read_zipped(data)
    if data.startswith(_BEGINNING):
        return _read_sequential(data)
    raise Refusal("tensor", "the weights must be a torch file, this is none")
