"""The format before torch 1.6: five pickles, then the numbers one after the other."""

import io
from typing import Any

from numpy.typing import NDArray

from rltransfer_agents.reading import limits
from rltransfer_agents.reading.inert_pickle import next_pickle
from rltransfer_agents.reading.refusal import Refusal
from rltransfer_agents.reading.torch_file.tensors import (
    Tensors,
    is_storage_key,
    read_places,
)

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
