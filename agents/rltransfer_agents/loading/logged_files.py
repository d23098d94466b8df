"""Logged data as files: an .npz of NumPy, or a local dataset of Minari, as columns.

Everything is read as data. Of a Minari dataset only five columns of numbers are looked
at, in a process that can open nothing (`minari_columns.py`); the environment, wrappers
and spaces that it names are not. What comes back is read as strictly as any .npz.
"""

import io
import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import chain
from pathlib import Path
from tokenize import TokenError
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from rltransfer.domain import Domain, LoggedRows
from rltransfer.domain.logged_rows import COLUMNS
from rltransfer.errors import InputError
from rltransfer.io import sha256_of, storage_faults
from rltransfer_agents.loading import limits, minari_columns
from rltransfer_agents.loading.minari_columns import ARROW, HDF5, LENGTH, PARQUET
from rltransfer_agents.loading.refusal import (
    Refusal,
    parse_object,
    printable,
    quoted,
    read_bounded,
    refusals_about,
    refuse_unforeseen,
)
from rltransfer_agents.loading.zip_reader import list_members, read_members

SCHEME = "minari:"
_ID = re.compile(r"[-\w]+(?:/[-\w]+)*", re.ASCII)
_LOG = "a log"
_LONGEST_REASON = 200
_ROOT = "MINARI_DATASETS_PATH"
_OF_HEADERS: tuple[type[Exception], ...]
_OF_HEADERS = (ArithmeticError, LookupError, MemoryError, RecursionError)
_OF_HEADERS += (SyntaxError, TokenError, TypeError, ValueError)


@final
@dataclass(frozen=True, eq=False)
class LoggedFile:
    """What one log holds, before anybody looked whether it fits anything."""

    origin: str
    """Where it is from: `minari:ID`, or a path from the root."""
    sha256: str
    """Of its one file; of an Arrow dataset, of what `sha256sum` prints of all."""
    columns: Mapping[str, NDArray[Any]]

    def rows(self, domain: Domain, *, least: int, most: int) -> LoggedRows:
        """Returns what it says about a domain; see `LoggedRows.of`."""
        return LoggedRows.of(
            self.columns,
            domain,
            origin=printable(self.origin),
            sha256=self.sha256,
            least=least,
            most=most,
        )


def read_logged_file(reference: str | Path) -> LoggedFile:
    """Returns the columns of a log.

    Args:
        reference: an .npz file, the folder of a Minari dataset, or `minari:ID` for one
            where Minari keeps them.

    Raises:
        InputError: there is no such log, or it is of another kind.
        ArtifactRefused: it is damaged, too large, or not what it should be.
    """
    text = str(reference)
    if text.startswith(SCHEME):
        return _dataset(_local_dataset(text.removeprefix(SCHEME)), text)
    path = Path(reference)
    # Not of `Path`, which raises where one may not look.
    if os.path.isdir(path):
        return _dataset(path, str(path.resolve()))
    if not os.path.lexists(path):
        raise InputError(
            f"logged data is an .npz file, the folder of a Minari dataset, or "
            f"{SCHEME}ID, and there is no {printable(path)}; check the path"
        )
    data = read_bounded(path, what=_LOG)
    if path.suffix != ".npz" and not data.startswith(b"PK"):
        raise InputError(
            f"logged data in a file is an .npz of numpy.savez, {printable(path)} is "
            "none; save its columns by numpy.savez, or name the folder of the Minari "
            "dataset that it belongs to"
        )
    with refusals_about(printable(path)):
        columns = npz_columns(data)
    return LoggedFile(str(path.resolve()), sha256_of(data), columns)


def npz_columns(data: bytes) -> dict[str, NDArray[Any]]:
    """Returns the known columns in the bytes of an .npz file.

    Raises:
        Refusal: it is damaged, breaks a limit, or holds more than numbers.
    """
    wanted = {f"{column}.npy" for column in COLUMNS}
    try:
        with refuse_unforeseen():
            members = list_members(data, lambda member: member.endswith(".npy"))
            contents = read_members(data, members, wanted.__contains__)
            return {
                member.removesuffix(".npy"): _array(member, content)
                for member, content in contents.items()
            }
    except Refusal as refusal:
        raise Refusal("dataset", refusal.reason) from refusal


def _array(member: str, content: bytes) -> NDArray[Any]:
    """Returns the array in the bytes of an .npy file; numbers only."""
    stream = io.BytesIO(content)
    try:
        version = np.lib.format.read_magic(stream)
        read = (
            np.lib.format.read_array_header_1_0
            if version == (1, 0)
            else np.lib.format.read_array_header_2_0
        )
        shape, by_columns, dtype = read(stream)
    except _OF_HEADERS as fault:
        raise Refusal("dataset", f"{member} is no array of NumPy") from fault
    if dtype.kind not in "biuf" or dtype.itemsize > 8 or dtype.subdtype is not None:
        raise Refusal(
            "dataset", f"{member} must hold numbers, it holds {quoted(str(dtype))}"
        )
    numbers = content[stream.tell() :]
    count = 1
    for size in shape:
        count *= size
    if len(shape) > limits.DIMENSIONS or min(shape, default=0) < 0:
        raise Refusal("dataset", f"{member} has an impossible shape")
    if count * dtype.itemsize != len(numbers):
        raise Refusal("dataset", f"{member} is not as long as it announces")
    if dtype.kind == "b" and max(numbers, default=0) > 1:
        raise Refusal("dataset", f"a truth value must be 0 or 1, {member} has others")
    flat: NDArray[Any] = np.frombuffer(numbers, dtype)
    return flat.reshape(shape[::-1]).T if by_columns else flat.reshape(shape)


def _local_dataset(dataset_id: str) -> Path:
    """Returns the folder of a dataset where Minari keeps them.

    Raises:
        InputError: it is not there; nothing is downloaded.
    """
    if not _ID.fullmatch(dataset_id):
        raise InputError(
            f"a dataset of Minari is named like {SCHEME}D4RL/door/human-v2, got "
            f"{quoted(SCHEME + dataset_id)}; list yours with: minari list local"
        )
    named = os.environ.get(_ROOT)
    root = Path(named) if named else Path.home() / ".minari" / "datasets"
    folder = root / dataset_id
    if not os.path.isdir(folder / "data"):
        raise InputError(
            f"{SCHEME}{dataset_id} must be on this disk, and {printable(folder)} is "
            f"not there; download it: minari download {dataset_id}"
        )
    return folder


def _dataset(folder: Path, origin: str) -> LoggedFile:
    """Returns the columns of the Minari dataset in a folder."""
    name, inside = printable(origin), folder / "data"
    if not os.path.isdir(inside):
        raise InputError(
            f"logged data in a folder is a Minari dataset, and {printable(folder)} "
            "has no folder data; name an .npz file or a dataset's folder"
        )
    try:
        about = parse_object(read_bounded(inside / "metadata.json", what=_LOG))
        data_format = about.get("data_format", HDF5)
        paths = _files(inside, data_format)
        needed = "h5py" if data_format == HDF5 else "pyarrow"
        if find_spec(needed) is None:
            raise InputError(
                f"reading {name} needs the package {needed}, which is not installed; "
                "install it: pip install 'rltransfer[minari]'"
            )
        contents = _contents(paths)
        answer = read_apart(str(data_format), contents)
        columns = npz_columns(answer)
        steps = about.get("total_steps")
        if steps != len(columns.get("reward", ())):
            raise Refusal(
                "dataset",
                f"it must have the {quoted(steps)} steps that its metadata.json says, "
                f"it has {len(columns.get('reward', ()))}",
            )
    except Refusal as refusal:
        raise Refusal("dataset", f"{name}: {refusal.reason}") from refusal
    digests = {
        path.relative_to(inside).as_posix(): sha256_of(content)
        for path, content in zip(paths, contents, strict=True)
    }
    lines = "".join(f"{digest}  {file}\n" for file, digest in digests.items())
    (only, *others) = digests.values()
    return LoggedFile(origin, sha256_of(lines.encode()) if others else only, columns)


def _files(inside: Path, data_format: object) -> list[Path]:
    """Returns the files with the numbers of a dataset, in the order of episodes."""
    if data_format == HDF5:
        return [inside / "main_data.hdf5"]
    if data_format not in (ARROW, PARQUET):
        raise Refusal(
            "dataset",
            f"data is read as {HDF5}, {ARROW} or {PARQUET}, it is "
            f"{quoted(data_format)}",
        )
    with storage_faults(inside):
        episodes = [path for path in inside.iterdir() if path.name.isdecimal()]
        episodes.sort(key=lambda path: int(path.name))
        found = (sorted(episode.glob(f"*.{data_format}")) for episode in episodes)
        files = list(chain.from_iterable(found))
    if not files or len(files) > limits.LOGGED_FILES:
        raise Refusal(
            "dataset",
            f"a dataset has 1 to {limits.LOGGED_FILES} files of episodes, it has "
            f"{len(files)}",
        )
    return files


def _contents(paths: list[Path]) -> list[bytes]:
    """Returns the bytes of files that together have no more than one may have."""
    contents, left = [], limits.ARCHIVE_BYTES
    for path in paths:
        contents.append(read_bounded(path, left, what=_LOG))
        left -= len(contents[-1])
    return contents


def read_apart(
    data_format: str,
    contents: Sequence[bytes],
    *,
    page: str = minari_columns.__file__,
    seconds: float = 2.0 * minari_columns.CPU_SECONDS,
) -> bytes:
    """Returns the .npz file that another process makes of a dataset's files.

    Args:
        data_format: as Minari calls it.
        contents: the files.
        page: of Python, which that process runs.
        seconds: that it may take.

    Raises:
        InputError: the dataset holds something else than vectors of numbers.
        Refusal: it is damaged.
    """
    script = [sys.executable, "-P", page]
    sent = b"".join(
        part for data in contents for part in (LENGTH.pack(len(data)), data)
    )
    quiet = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    # HDF5 would load whatever library a plugin's folder holds.
    quiet |= {"HDF5_PLUGIN_PRELOAD": "::", "ARROW_DEFAULT_MEMORY_POOL": "system"}
    try:
        reader = subprocess.run(
            [*script, data_format, str(limits.LOGGED_BYTES)],
            input=sent,
            capture_output=True,
            env={**os.environ, **quiet},
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired as fault:
        raise Refusal("dataset", f"reading it takes over {seconds:g} s") from fault
    if reader.returncode == 0:
        return reader.stdout
    # A file might have got at the process that read it: not even its words are trusted.
    reason = printable(reader.stdout[:_LONGEST_REASON].decode(errors="replace"))
    if reader.returncode == minari_columns.UNFIT:
        raise InputError(
            f"a dataset must have vectors of numbers, and {reason}: flatten what it "
            "shows with a wrapper and record it again"
        )
    if reader.returncode == minari_columns.DAMAGED:
        raise Refusal("dataset", reason)
    raise Refusal("dataset", "the library that reads it gives up, it must be damaged")
