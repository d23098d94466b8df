"""IDX, the format MNIST is published in: a header, then bytes."""

import gzip
import math
import struct
import zlib

import numpy as np
from numpy.typing import NDArray

from rltransfer.errors import ArtifactRefused

_UNSIGNED_BYTES = 8


def read_idx(packed: bytes, dimensions: int, told: str) -> NDArray[np.uint8]:
    """Returns the array in a gzipped IDX file.

    Args:
        packed: the file's contents.
        dimensions: how many it must have: 3 for pictures, 1 for labels.
        told: what to call the file in an error.
    """
    try:
        data = gzip.decompress(packed)
    except (EOFError, OSError, zlib.error) as fault:
        raise _refused(told, f"it is no whole gzip file ({fault})") from fault
    header = 4 + 4 * dimensions
    magic = _UNSIGNED_BYTES << 8 | dimensions
    if len(data) < header:
        raise _refused(told, f"its header needs {header} bytes, it has {len(data)}")
    found, *shape = struct.unpack_from(f">{1 + dimensions}I", data)
    if found != magic:
        raise _refused(told, f"its magic number must be {magic}, it is {found}")
    if len(data) - header != math.prod(shape):
        raise _refused(
            told,
            f"it announces {math.prod(shape)} bytes and has {len(data) - header}",
        )
    return np.frombuffer(data, np.uint8, offset=header).reshape(shape)


def _refused(told: str, reason: str) -> ArtifactRefused:
    return ArtifactRefused(f"{told} is refused: {reason}; remove it and get it anew")
