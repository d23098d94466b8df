"""Torch's files of tensors, read without torch: the format since 1.6 and the older."""

from typing import Any

from numpy.typing import NDArray

from rltransfer_agents.reading.refusal import Refusal
from rltransfer_agents.reading.torch_file.sequential import (
    is_sequential,
    read_sequential,
)
from rltransfer_agents.reading.torch_file.zipped import read_zipped

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
