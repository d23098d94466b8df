"""S1 to S3 for logs: with code inside, cut off at every byte, with flipped bits.

    python tests/agents/loading/torture/hostile_logs.py --seed 0 --flips 500

Each case is read as the process that reads datasets would: in a child that can open
nothing, since the libraries for HDF5 and Arrow may crash. Prints a JSON object.
"""

import argparse
import io
import json
import os
import pickle
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[4]))

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.compute
import pyarrow.parquet
from watch import MARK, Strike, Watch

from rltransfer_agents.loading import Refusal
from rltransfer_agents.loading.logged_files import npz_columns
from rltransfer_agents.loading.minari_columns import Unreadable, confine, npz_of
from tests.worlds.logs import columns_of, data_files, record
from tests.worlds.points import Point

MOST = 1 << 22
TOGETHER = 2_000
"""Cases that one child reads."""
SECONDS = 5.0
Read = Callable[[bytes], dict[str, np.ndarray]]


def specimens() -> dict[str, bytes]:
    """Returns the bytes of one small log of each format, by its name."""
    written = io.BytesIO()
    np.savez(written, **columns_of(Point(), 8))
    found = {"npz": written.getvalue()}
    with tempfile.TemporaryDirectory() as root:
        os.environ["MINARI_DATASETS_PATH"] = root
        for data_format in ("hdf5", "arrow", "parquet"):
            record(Point(limit=8), f"point/{data_format}-v0", 1, data_format)
            (file,) = data_files(Path(root), f"point/{data_format}-v0", data_format)
            found[data_format] = file.read_bytes()
    return found


def malicious(sound: dict[str, bytes], folder: Path) -> Iterator[tuple[str, bytes]]:
    """Yields files that run code when they are opened the usual way, or ask for it.

    Args:
        sound: the specimens.
        folder: where code would leave its mark.
    """
    strike, written = pickle.dumps(Strike(folder)), io.BytesIO()
    objects = np.array([Strike(folder)], object)
    np.savez(written, reward=objects, action=objects)
    yield "npz", written.getvalue()
    yield "npz", strike
    yield "npz", sound["npz"].replace(b"'<f8'", b"'|O8'")
    yield "npz", sound["npz"].replace(b"False, ", b"exit(),", 1)
    for name in ("object", "module"):
        made = io.BytesIO(sound["hdf5"])
        with h5py.File(made, "a") as file:
            file.attrs[name] = np.void(strike)
            file["episode_0"].attrs["env_spec"] = '{"entry_point": "antigravity:Fly"}'
            del file["episode_0/rewards"]
            data: object = np.void(strike) if name == "object" else "antigravity:Fly"
            file["episode_0/rewards"] = data
        yield "hdf5", made.getvalue()
    made = io.BytesIO(sound["hdf5"])
    with h5py.File(made, "a") as file:
        file["episode_0/infos/pickled"] = np.void(strike)
        file.attrs["env_spec"] = '{"entry_point": "antigravity:Fly"}'
    yield "hdf5", made.getvalue()
    table = pyarrow.parquet.read_table(pa.BufferReader(sound["parquet"]))
    place = table.column_names.index("rewards")
    for extension in ("arrow.py_extension_type", "antigravity.Fly"):
        about = {
            b"ARROW:extension:name": extension,
            b"ARROW:extension:metadata": strike,
        }
        field = table.schema.field("rewards").with_metadata(about)
        changed = table.set_column(place, field, table.column("rewards"))
        written = io.BytesIO()
        with pa.ipc.new_file(written, changed.schema) as writer:
            writer.write_table(changed)
        yield "arrow", written.getvalue()
        written = io.BytesIO()
        pyarrow.parquet.write_table(changed, written)
        yield "parquet", written.getvalue()


def struck(sound: dict[str, bytes]) -> dict[str, object]:
    """Returns what malicious files did in this process, which watches itself."""
    watch, vectors = Watch(), 0
    for data_format, data in sound.items():
        ending(reader(data_format), data, {})  # imports what it needs
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = list(malicious(sound, folder))
        for data_format, data in files:
            watch.over(lambda f=data_format, d=data: ending(reader(f), d, {}))
            vectors += 1
        stock = io.BytesIO(files[0][1])
        with np.load(stock, allow_pickle=True) as arrays:
            left = (folder / MARK).exists()
            arrays["reward"]
        caught = (folder / MARK).exists()
    return {
        "vectors": vectors,
        "events": watch.taken(),
        "struck": left,
        "stock struck": caught,
    }


def reader(data_format: str) -> Read:
    """Returns what reads a format as `read_logged_file` does."""
    if data_format == "npz":
        return lambda data: npz_columns(data)
    return lambda data: npz_columns(npz_of(data_format, [data], MOST))


def ending(read: Read, data: bytes, sound: dict[str, np.ndarray]) -> str:
    """Returns how reading ended: refused, or what is different in what was read."""
    try:
        columns = read(data)
    except Refusal as refusal:
        assert refusal.code == "dataset" and "\n" not in str(refusal), refusal
        return "refused"
    except Unreadable:
        return "refused"
    except Exception:
        # As the process that reads datasets does; an .npz is read without it.
        return "refused by the library"
    lengths = {len(rows) for rows in columns.values()}
    same = columns.keys() == sound.keys() and all(
        np.array_equal(columns[name], sound[name], equal_nan=True) for name in sound
    )
    if same:
        return "the same"
    # Columns of other lengths are refused by whoever looks whether they fit.
    return "other numbers" if len(lengths) == 1 else "other lengths"


def endings(data_format: str, cases: Sequence[bytes], sound: bytes) -> Iterator[str]:
    """Yields how each case ended, read in children that may crash."""
    read = reader(data_format)
    columns, place = read(sound), 0
    while place < len(cases):
        ours, theirs = os.pipe()
        child = os.fork()
        if not child:
            signal.signal(signal.SIGPROF, signal.SIG_DFL)
            os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
            confine(MOST)
            for data in cases[place : place + TOGETHER]:
                signal.setitimer(signal.ITIMER_PROF, SECONDS)
                os.write(theirs, (ending(read, data, columns) + "\n").encode())
            os._exit(0)
        os.close(theirs)
        with open(ours, encoding="ascii") as told:
            lines = told.read().splitlines()
        _, status = os.waitpid(child, 0)
        yield from lines
        place += len(lines)
        if os.waitstatus_to_exitcode(status):
            number = -os.waitstatus_to_exitcode(status)
            yield f"died of {signal.Signals(number).name}" if number > 0 else "died"
            place += 1


def flipped(data: bytes, count: int, rng: np.random.Generator) -> list[bytes]:
    """Returns copies with one flipped bit each."""
    made = []
    for _ in range(count):
        copy = bytearray(data)
        copy[int(rng.integers(len(data)))] ^= 1 << int(rng.integers(8))
        made.append(bytes(copy))
    return made


def main() -> None:
    """Prints how many cases of each format ended how."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--flips", type=int, default=5_000)
    options = parser.parse_args()
    rng = np.random.default_rng(options.seed)
    sound = specimens()
    told: dict[str, object] = {"S1": struck(sound)}
    for data_format, data in sound.items():
        cut = [data[:length] for length in range(len(data))]
        bits = flipped(data, options.flips, rng)
        told[data_format] = {
            "S2": dict(Counter(endings(data_format, cut, data))),
            "S3": dict(Counter(endings(data_format, bits, data))),
        }
    print(json.dumps(told))


if __name__ == "__main__":
    main()
