"""Columns of a Minari dataset, read in a process that can open nothing.

HDF5 and Arrow are read by large libraries in C, which a damaged file may crash or hang,
and an HDF5 file may ask for other files and for plugins. So this page runs as a script
of its own: it takes the bytes of files on standard input, gives up opening anything and
limits its memory and time, reads five columns of numbers, and answers with an .npz file
on standard output. Spaces, environments and all else that a dataset says are not looked
at. It imports nothing of this project, so that it starts fast.
"""

import contextlib
import io
import re
import resource
import struct
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

HDF5, ARROW, PARQUET = "hdf5", "arrow", "parquet"
DAMAGED, UNFIT = 3, 4
"""Exit statuses: a file that is not read, and one that holds something else."""
LENGTH = struct.Struct("<Q")
"""Before each file on standard input."""
CPU_SECONDS = 60

Array: TypeAlias = NDArray[Any]
_NAMES = ("observations", "actions", "rewards", "terminations", "truncations")
_EPISODE = re.compile(r"episode_(\d{1,9})")
_KINDS, _WIDEST = "biuf", 8
"""Of numbers: truth values, whole numbers and floats, of at most so many bytes."""
_FILTERS = {1, 2, 3, 32000}
"""Deflate, shuffle, checksums and LZF: those that h5py itself brings along."""


@final
class Unreadable(Exception):
    """Why a dataset is not read; `status` says which kind of reason it is."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


def damaged(reason: str) -> Unreadable:
    """Returns the refusal of a file that no recorder writes."""
    return Unreadable(DAMAGED, reason)


def hdf5_episodes(
    files: Sequence[bytes], most: int
) -> Iterator[tuple[int, Mapping[str, Array]]]:
    """Yields the columns of each episode in the one HDF5 file, by its number."""
    import h5py

    left = most
    (data,) = files
    with h5py.File(io.BytesIO(data), "r") as file:
        numbers = sorted(int(m[1]) for m in map(_EPISODE.fullmatch, file) if m)
        for number in numbers:
            group = _own(file, f"episode_{number}")
            if not isinstance(group, h5py.Group):
                raise damaged("an episode is no group")
            found = {name: _own(group, name) for name in _NAMES}
            for name, column in found.items():
                if isinstance(column, h5py.Group):
                    raise Unreadable(UNFIT, f"its {name} have several parts")
                _require_plain(column)
                left -= column.size * _WIDEST
                if left < 0:
                    raise damaged(f"it announces more than {most} bytes")
            yield number, {name: column[()] for name, column in found.items()}


def _own(group: Any, name: str) -> Any:
    """Returns what lies in this file under a name, and nowhere else."""
    import h5py

    if name not in group:
        raise Unreadable(UNFIT, f"an episode has no {name}")
    if not isinstance(group.get(name, getlink=True), h5py.HardLink):
        raise damaged("it links to something outside of the episode")
    return group[name]


def _require_plain(column: Any) -> None:
    """Raises unless a dataset of HDF5 is numbers that this file itself holds."""
    import h5py

    if not isinstance(column, h5py.Dataset):
        raise damaged("a column is no dataset")
    if column.external or column.is_virtual:
        raise damaged("its numbers are in other files")
    if column.dtype.kind not in _KINDS or column.dtype.itemsize > _WIDEST:
        raise Unreadable(UNFIT, "a column holds something else than numbers")
    if column.shape is None or column.ndim > 2:
        raise Unreadable(UNFIT, "a column is no vector or matrix")
    plist = column.id.get_create_plist()
    used = {plist.get_filter(place)[0] for place in range(plist.get_nfilters())}
    if not used <= _FILTERS:
        raise damaged("its numbers are packed in an unusual way")


def arrow_episodes(
    files: Sequence[bytes], most: int, *, parquet: bool = False
) -> Iterator[tuple[int, Mapping[str, Array]]]:
    """Yields the columns of each episode, one to an Arrow or Parquet file."""
    left = most
    for number, data in enumerate(files):
        table = _parquet_table(data, left) if parquet else _arrow_table(data)
        missing = set(_NAMES) - set(table.column_names)
        if missing:
            raise Unreadable(UNFIT, f"an episode has no {min(missing)}")
        columns = {name: _numbers(table.column(name), name) for name in _NAMES}
        left -= sum(column.size for column in columns.values()) * _WIDEST
        if left < 0:
            raise damaged(f"it holds more than {most} bytes")
        # The row of the last observation has no action: Minari fills it up.
        steps = len(table) - 1
        cut = {name: column[:steps] for name, column in columns.items()}
        yield number, {**cut, "observations": columns["observations"]}


def _arrow_table(data: bytes) -> Any:
    import pyarrow as pa

    options = pa.ipc.IpcReadOptions(use_threads=False)
    table = pa.ipc.open_file(pa.BufferReader(data), options=options).read_all()
    table.validate(full=True)
    return table


def _parquet_table(data: bytes, most: int) -> Any:
    import pyarrow as pa
    from pyarrow import parquet

    file = parquet.ParquetFile(pa.BufferReader(data), page_checksum_verification=True)
    about = file.metadata
    groups = (about.row_group(place) for place in range(about.num_row_groups))
    if sum(group.total_byte_size for group in groups) > most:
        raise damaged(f"it announces more than {most} bytes")
    wanted = [name for name in _NAMES if name in file.schema_arrow.names]
    table = file.read(wanted, use_threads=False)
    table.validate(full=True)
    return table


def _numbers(column: Any, name: str) -> Array:
    """Returns a column of Arrow: numbers, or lists of them that are equally long."""
    import pyarrow as pa

    kind, width = column.type, None
    if column.null_count:
        raise damaged("a number is missing")
    if pa.types.is_struct(kind):
        raise Unreadable(UNFIT, f"its {name} have several parts")
    joined = column.combine_chunks()
    if isinstance(joined, pa.ChunkedArray):
        joined = pa.concat_arrays(joined.chunks)
    if pa.types.is_fixed_size_list(kind):
        width, joined = kind.list_size, joined.flatten()
    kind = joined.type
    plain = pa.types.is_integer(kind) or pa.types.is_floating(kind)
    if not (plain or pa.types.is_boolean(kind)) or joined.null_count:
        raise Unreadable(UNFIT, f"its {name} are something else than numbers")
    values: Array = joined.to_numpy(zero_copy_only=False)
    return values if width is None else values.reshape(len(column), width)


def joined_columns(
    episodes: Iterator[tuple[int, Mapping[str, Array]]],
) -> dict[str, Array]:
    """Returns the rows of all episodes under the names that logged rows have."""
    parts: dict[str, list[Array]] = {}
    for number, columns in episodes:
        observations, rewards = columns["observations"], columns["rewards"]
        steps = len(rewards)
        lengths = {len(columns[name]) for name in _NAMES[1:]}
        if lengths != {steps} or len(observations) != steps + 1:
            raise damaged("an episode has one observation more than steps")
        row: dict[str, Array] = {
            "episode": np.full(steps, number, np.int64),
            # As the alignment computes; too large ones become infinite, and are told.
            "observation": observations[:-1].astype(np.float32),
            "next_observation": observations[1:].astype(np.float32),
            "action": columns["actions"],
            "reward": rewards.reshape(steps),
            "terminated": columns["terminations"].reshape(steps),
            "truncated": columns["truncations"].reshape(steps),
        }
        for name, values in row.items():
            parts.setdefault(name, []).append(values)
    if not parts:
        raise Unreadable(UNFIT, "it has no episode")
    return {name: np.concatenate(values) for name, values in parts.items()}


READERS: Mapping[str, Callable[..., Iterator[tuple[int, Mapping[str, Array]]]]]
READERS = MappingProxyType(
    {
        HDF5: hdf5_episodes,
        ARROW: arrow_episodes,
        PARQUET: lambda files, most: arrow_episodes(files, most, parquet=True),
    }
)


def npz_of(data_format: str, files: Sequence[bytes], most: int) -> bytes:
    """Returns a dataset's columns as the bytes of an .npz file.

    Args:
        data_format: that Minari calls it.
        files: one for HDF5, else one for each episode.
        most: bytes that the numbers may take.

    Raises:
        Unreadable: it is damaged, or holds something else.
    """
    written = io.BytesIO()
    with np.errstate(over="ignore"):
        columns = joined_columns(READERS[data_format](files, most))
    np.savez(written, **columns)  # type: ignore[arg-type]  # its stub forgets names
    return written.getvalue()


def confine(most: int) -> None:
    """Gives up opening files and starting anything; limits memory and time.

    Args:
        most: bytes that the numbers may take.
    """
    used = 0
    with contextlib.suppress(OSError, ValueError):
        pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[0]
        used = int(pages) * resource.getpagesize()
    # Read, joined, cast and written: four times, and a libraries' own needs.
    memory = used + 4 * most + (256 << 20)
    for limit, value in (
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_CPU, CPU_SECONDS),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NOFILE, 0),
    ):
        # Not every system has every limit.
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(limit, (value, value))


def main(data_format: str, most: int) -> int:
    """Reads files from standard input; returns the exit status."""
    stream, files = sys.stdin.buffer, []
    while begun := stream.read(LENGTH.size):
        files.append(stream.read(LENGTH.unpack(begun)[0]))
    if data_format == HDF5:
        import h5py  # noqa: F401  # while files can be opened
    else:
        import pyarrow.compute  # which arrays of lists ask for
        import pyarrow.parquet

        pyarrow.set_cpu_count(1)
    np.savez(io.BytesIO(), np.zeros(1))  # likewise: it imports what it needs
    confine(most)
    try:
        answer, status = npz_of(data_format, files, most), 0
    except Unreadable as reason:
        answer, status = str(reason).encode(), reason.status
    except Exception as fault:
        answer = f"its library refuses it ({type(fault).__name__})".encode()
        status = DAMAGED
    sys.stdout.buffer.write(answer)
    sys.stdout.buffer.flush()
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2])))
