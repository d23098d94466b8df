import gzip
import hashlib
import os
import struct
from pathlib import Path

import numpy as np
import pytest

FILES = {
    "train-images-idx3-ubyte.gz": (120, 28, 28),
    "train-labels-idx1-ubyte.gz": (120,),
    "t10k-images-idx3-ubyte.gz": (40, 28, 28),
    "t10k-labels-idx1-ubyte.gz": (40,),
}


def idx(values: np.ndarray) -> bytes:
    """Returns an array of bytes as gzipped IDX."""
    header = struct.pack(f">{1 + values.ndim}I", 8 << 8 | values.ndim, *values.shape)
    return gzip.compress(header + values.astype(np.uint8).tobytes(), mtime=0)


def list_hashes(folder: Path) -> None:
    """Writes the hashes of what lies in `folder`."""
    sums = (
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n"
        for path in sorted(folder.glob("*.gz"))
    )
    (folder / "SHA256SUMS").write_text("".join(sums))


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    """Returns a data folder with two data sets of made-up pictures."""
    draw = np.random.default_rng(0)
    data = tmp_path / "data"
    for name in ("mnist", "fashion-mnist"):
        folder = data / name
        folder.mkdir(parents=True)
        for file, shape in FILES.items():
            values = np.arange(shape[0]) % 10
            if len(shape) == 3:
                values = draw.integers(0, 256, shape)
            (folder / file).write_bytes(idx(values))
        list_hashes(folder)
    return data


def real_data() -> Path:
    """Returns where the published files lie; skips where they do not."""
    beside = Path(__file__).parents[3] / "shared" / "data"
    folder = Path(os.environ.get("RLTRANSFER_DATA") or beside)
    if not (folder / "mnist" / "train-labels-idx1-ubyte.gz").is_file():
        pytest.skip(f"RLTRANSFER_DATA is not set and no MNIST lies in {folder}")
    return folder
