"""The published files of digits: what they are, fetching them, and reading IDX."""

import gzip
import math
import os
import struct
import urllib.request
import zlib
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import final
from urllib.parse import urlsplit

import numpy as np
from numpy.typing import NDArray

from rltransfer.errors import ArtifactRefused, InputError, StorageError
from rltransfer.io import make_folder, sha256_of, storage_faults, write_atomically


@final
@dataclass(frozen=True)
class PublishedFile:
    """One file as its authors published it."""

    name: str
    size: int
    """Bytes."""
    sha256: str


@final
@dataclass(frozen=True)
class Collection:
    """Four files in one folder: pictures and labels to train, the same to test."""

    folder: str
    mirrors: tuple[str, ...]
    files: tuple[PublishedFile, ...]


_NAMES = (
    "train-images-idx3-ubyte.gz",
    "train-labels-idx1-ubyte.gz",
    "t10k-images-idx3-ubyte.gz",
    "t10k-labels-idx1-ubyte.gz",
)


def _published(*files: tuple[int, str]) -> tuple[PublishedFile, ...]:
    """Returns files of these sizes and hashes, named as both collections name them."""
    pairs = zip(_NAMES, files, strict=True)
    return tuple(PublishedFile(name, *file) for name, file in pairs)


MNIST = Collection(
    "mnist",
    (
        "https://ossci-datasets.s3.amazonaws.com/mnist",
        "https://storage.googleapis.com/cvdf-datasets/mnist",
    ),
    _published(
        (9912422, "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"),
        (28881, "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c"),
        (1648877, "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6"),
        (4542, "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6"),
    ),
)
"""LeCun, Cortes & Burges; 60,000 and 10,000 handwritten digits."""

FASHION_MNIST = Collection(
    "fashion-mnist",
    (
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com",
        "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist"
        "/b2617bb6d3ffa2e429640350f613e3291e10b141/data/fashion",
    ),
    _published(
        (26421880, "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84"),
        (29515, "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845"),
        (4422102, "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073"),
        (5148, "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5"),
    ),
)
"""Xiao, Rasul & Vollgraf (2017); the same sizes, ten kinds of clothes."""

SUMS = "SHA256SUMS"
"""A folder with other data than the published lists their hashes in this file."""

_TIMEOUT_SECONDS = 10


@final
class Offline(InputError):
    """No mirror could be reached."""


def contents(
    collection: Collection, file: PublishedFile, folder: Path | None
) -> tuple[bytes, str]:
    """Returns a file's checked bytes and where they come from.

    Args:
        collection: what the file belongs to.
        file: which one.
        folder: with the data; `None`: the cache, filled from the mirrors.
    """
    path = (folder or _cache()) / collection.folder / file.name
    data = _stored(path)
    if folder is None:
        if data is None or _flaw(data, file):
            data = _from_mirrors(collection, file)
            _keep(path, data)
        return data, str(path)
    if data is None:
        raise InputError(
            f"the data folder needs {path.parent.name}/{file.name}, but there is no "
            f"{path}; put it there, or give no folder to have it downloaded"
        )
    own = (path.parent / SUMS).is_file()
    flaw = _flaw_by_sums(data, path) if own else _flaw(data, file)
    if flaw:
        raise ArtifactRefused(f"{path} is refused: {flaw}; download it again")
    return data, str(path)


def _stored(path: Path) -> bytes | None:
    with storage_faults(path):
        return path.read_bytes() if path.is_file() else None


def _keep(path: Path, data: bytes) -> None:
    try:
        make_folder(path.parent)
        write_atomically(path, data)
    except StorageError as fault:
        reason = fault.__cause__ or fault
        raise StorageError(
            f"the cache {path.parent} cannot be written ({reason}); set "
            "XDG_CACHE_HOME to a folder that can, or give the data with --data-dir"
        ) from fault


def _flaw_by_sums(data: bytes, path: Path) -> str | None:
    sums = path.parent / SUMS
    with storage_faults(sums):
        lines = sums.read_text(errors="replace").split("\n")
    wanted = {name: digest for digest, _, name in (x.partition("  ") for x in lines)}
    found = sha256_of(data)
    if wanted.get(path.name) == found:
        return None
    return f"its SHA-256 must be {wanted.get(path.name)} by {SUMS}, it is {found}"


def _flaw(data: bytes, file: PublishedFile) -> str | None:
    """Returns how `data` differs from the published file; `None`: not at all."""
    if len(data) < file.size:
        return f"it is cut off after {len(data)} of {file.size} bytes"
    found = sha256_of(data)
    if found != file.sha256:
        return f"its SHA-256 must be {file.sha256}, it is {found}"
    return None


def _from_mirrors(collection: Collection, file: PublishedFile) -> bytes:
    """Returns the file from the first mirror that has it as published."""
    unreachable, wrong = [], []
    for mirror in collection.mirrors:
        url = f"{mirror}/{file.name}"
        try:
            with urllib.request.urlopen(url, timeout=_TIMEOUT_SECONDS) as answer:
                data: bytes = answer.read(file.size + 1)
        except (OSError, HTTPException) as fault:
            unreachable.append(f"{_host(mirror)}: {getattr(fault, 'reason', fault)}")
            continue
        flaw = _flaw(data, file)
        if flaw is None:
            return data
        wrong.append(f"{_host(mirror)}: {flaw}")
    if wrong:
        raise ArtifactRefused(
            f"no mirror has {file.name} as it was published ({'; '.join(wrong)}); "
            "try later, or give a folder with --data-dir"
        )
    raise Offline(
        f"no mirror of {collection.folder} could be reached "
        f"({'; '.join(unreachable)}); go online, or give a folder with --data-dir"
    )


def _host(mirror: str) -> str | None:
    return urlsplit(mirror).hostname


def _cache() -> Path:
    """Returns the user's cache, by the rules of freedesktop.org."""
    root = os.environ.get("XDG_CACHE_HOME")
    return (Path(root) if root else Path.home() / ".cache") / "rltransfer"


_UNSIGNED_BYTES = 8


def read_idx(packed: bytes, dimensions: int, name: str) -> NDArray[np.uint8]:
    """Returns the array in a gzipped IDX file.

    Args:
        packed: the file's contents.
        dimensions: how many it must have: 3 for pictures, 1 for labels.
        name: of the file, for errors.
    """
    try:
        data = gzip.decompress(packed)
    except (EOFError, OSError, zlib.error) as fault:
        raise _refused(name, f"it is not a whole gzip file ({fault})") from fault
    header = 4 + 4 * dimensions
    magic = _UNSIGNED_BYTES << 8 | dimensions
    if len(data) < header:
        raise _refused(name, f"its header needs {header} bytes, it has {len(data)}")
    found, *shape = struct.unpack_from(f">{1 + dimensions}I", data)
    if found != magic:
        raise _refused(name, f"its magic number must be {magic}, it is {found}")
    if len(data) - header != math.prod(shape):
        raise _refused(
            name,
            f"it announces {math.prod(shape)} bytes and has {len(data) - header}",
        )
    return np.frombuffer(data, np.uint8, offset=header).reshape(shape)


def _refused(name: str, reason: str) -> ArtifactRefused:
    return ArtifactRefused(
        f"{name} is refused: {reason}; remove it and download it again"
    )
