"""Logs are read as numbers alone, whatever else their files hold."""

import io
import json
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from rltransfer.errors import ArtifactRefused, InputError
from rltransfer.io import sha256_of
from rltransfer_agents.loading import minari_columns
from rltransfer_agents.loading.logged_files import (
    npz_columns,
    read_apart,
    read_logged_file,
)
from tests.worlds.logs import columns_of, data_files, record
from tests.worlds.points import Point

h5py = pytest.importorskip("h5py", reason="the extra minari is missing")
FORMATS = ("hdf5", "arrow", "parquet")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where Minari keeps one dataset in each of its formats."""
    folder = tmp_path_factory.mktemp("minari")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MINARI_DATASETS_PATH", str(folder))
        for data_format in FORMATS:
            record(Point(), f"point/{data_format}-v0", 4, data_format)
            record(Point(continuous=True), f"pushed/{data_format}-v0", 4, data_format)
    return folder


@pytest.fixture
def local(root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(root))
    return root


@pytest.mark.parametrize("data_format", FORMATS)
@pytest.mark.parametrize("name", ["point", "pushed"])
def test_a_dataset_holds_what_minari_itself_reads_in_it(
    local: Path, name: str, data_format: str
) -> None:
    import minari

    found = read_logged_file(f"minari:{name}/{data_format}-v0")
    episodes = list(minari.load_dataset(f"{name}/{data_format}-v0").iterate_episodes())
    assert len(episodes) == 4
    for column, theirs in {
        "observation": [e.observations[:-1] for e in episodes],
        "next_observation": [e.observations[1:] for e in episodes],
        "action": [e.actions for e in episodes],
        "reward": [e.rewards for e in episodes],
        "terminated": [e.terminations for e in episodes],
        "truncated": [e.truncations for e in episodes],
        "episode": [np.full(len(e), e.id) for e in episodes],
    }.items():
        expected = np.concatenate(theirs)
        np.testing.assert_array_equal(found.columns[column], expected, column)
    by_path = read_logged_file(local / name / f"{data_format}-v0")
    assert by_path.sha256 == found.sha256
    files = data_files(local, f"{name}/{data_format}-v0", data_format)
    if len(files) == 1:
        assert found.sha256 == sha256_of(files[0])


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_an_npz_holds_what_was_saved(save: Callable[..., None], tmp_path: Path) -> None:
    columns = columns_of(Point(), 50)
    columns["observation"] = np.asfortranarray(columns["observation"])
    save(tmp_path / "a.npz", **columns, notes=np.zeros(3))
    found = read_logged_file(tmp_path / "a.npz")
    assert found.sha256 == sha256_of(tmp_path / "a.npz")
    assert found.columns.keys() == columns.keys()
    for name, rows in columns.items():
        np.testing.assert_array_equal(found.columns[name], rows)
        assert found.columns[name].dtype == rows.dtype


@pytest.mark.usefixtures("local")
@pytest.mark.parametrize(
    ("reference", "said"),
    [
        ("minari:D4RL/door/human-v2", "download it: minari download D4RL/door/human"),
        ("minari:../../etc", "is named like minari:"),
        ("minari:/etc", "is named like minari:"),
        ("minari:", "is named like minari:"),
        ("nowhere.npz", "there is no nowhere.npz; check the path"),
        (str(Path(__file__).parent), "has no folder data"),
    ],
)
def test_a_log_that_is_not_there_is_asked_for(reference: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        read_logged_file(reference)


def test_reading_a_dataset_without_its_library_names_the_extra(
    local: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.meta_path", [])
    monkeypatch.setattr("sys.path_importer_cache", {})
    monkeypatch.delitem(sys.modules, "h5py", raising=False)
    with pytest.raises(InputError, match=r"pip install 'rltransfer\[minari\]'"):
        read_logged_file("minari:point/hdf5-v0")


def npz(**arrays: Any) -> bytes:
    written = io.BytesIO()
    np.savez(written, **arrays)
    return written.getvalue()


HEADER = "{'descr': '<f8', 'fortran_order': False, 'shape': (%s,), }"


def npy(header: str, content: bytes = b"\0" * 8) -> bytes:
    text = header.encode().ljust(118) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + content


def zipped(content: bytes) -> bytes:
    import zipfile

    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as archive:
        archive.writestr("reward.npy", content)
    return written.getvalue()


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (npz(reward=np.array([print], object)), "must hold numbers, it holds 'object'"),
        (npz(reward=np.array(["a"])), "must hold numbers"),
        (npz(reward=np.zeros(2, "f8,f8")), "must hold numbers"),
        (npz(reward=np.zeros(2, np.complex128)), "must hold numbers"),
        (zipped(npy(HEADER % 10**13)), "not as long as it announces"),
        (zipped(npy(HEADER % -1)), "impossible shape"),
        (zipped(npy(HEADER.replace("<f8", "|b1") % 2, b"\2\1")), "must be 0 or 1"),
        (zipped(npy("__import__('os').abort()")), "no array of NumPy"),
        (zipped(npy("(" * 110)), "no array of NumPy"),
        (zipped(pickle.dumps(print)), "no array of NumPy"),
        (b"PK\x03\x04", "damaged or cut off"),
        (b"", "damaged or cut off"),
        (pickle.dumps([1.0]), "damaged or cut off"),
    ],
)
def test_an_npz_of_anything_but_numbers_is_refused(
    data: bytes, said: str, tmp_path: Path
) -> None:
    (tmp_path / "a.npz").write_bytes(data)
    with pytest.raises(ArtifactRefused, match=said) as refused:
        read_logged_file(tmp_path / "a.npz")
    assert "numpy.savez" in str(refused.value)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("steps.csv", b"observation,action\n0.5,1\n"),
        ("main_data.hdf5", b"\x89HDF\r\n\x1a\n"),
        ("reward.npy", npy(HEADER % 1)),
        ("steps", b""),
    ],
)
def test_a_file_of_another_kind_is_not_called_damaged(
    name: str, data: bytes, tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(InputError, match=f"an .npz of numpy.savez, .*{name} is none"):
        read_logged_file(tmp_path / name)
    np.savez(tmp_path / "named.npz", reward=np.zeros(1))
    other = (tmp_path / "named.npz").rename(tmp_path / name)
    assert read_logged_file(other).columns["reward"].shape == (1,)


def test_what_a_dataset_says_of_environments_is_not_looked_at(
    local: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "copy"
    inside = folder / "data"
    inside.mkdir(parents=True)
    (file,) = data_files(local, "point/hdf5-v0")
    (inside / file.name).write_bytes(file.read_bytes())
    about = json.loads((file.parent / "metadata.json").read_text())
    plain = gym.make("CartPole-v1").spec
    assert plain is not None
    plain.entry_point = "antigravity:Fly"
    about |= {"env_spec": plain.to_json(), "eval_env_spec": plain.to_json()}
    about |= {"observation_space": '{"type": "antigravity"}', "action_space": "x"}
    (inside / "metadata.json").write_text(json.dumps(about))
    found = read_logged_file(folder)
    sound = read_logged_file("minari:point/hdf5-v0")
    assert "antigravity" not in sys.modules
    np.testing.assert_array_equal(found.columns["action"], sound.columns["action"])
    about["total_steps"] += 1
    (inside / "metadata.json").write_text(json.dumps(about))
    with pytest.raises(ArtifactRefused, match="steps that its metadata"):
        read_logged_file(folder)


def outside_link(file: Any, secret: Path) -> None:
    del file["episode_0/rewards"]
    file["episode_0/rewards"] = h5py.ExternalLink(str(secret), "/numbers")


def soft_link(file: Any, secret: Path) -> None:
    del file["episode_0/rewards"]
    file["episode_0/rewards"] = h5py.SoftLink("/episode_1/rewards")


def outside_numbers(file: Any, secret: Path) -> None:
    del file["episode_0/rewards"]
    where = [(str(secret), 0, 80)]
    file.create_dataset("episode_0/rewards", (10,), "f8", external=where)


def virtual(file: Any, secret: Path) -> None:
    del file["episode_0/rewards"]
    layout = h5py.VirtualLayout((10,), "f8")
    layout[:] = h5py.VirtualSource(str(secret), "numbers", (10,))
    file.create_virtual_dataset("episode_0/rewards", layout)


def huge(file: Any, secret: Path) -> None:
    del file["episode_0/rewards"]
    file.create_dataset("episode_0/rewards", (1 << 40,), "f8", chunks=(1 << 16,))


def plugin(file: Any, secret: Path) -> None:
    del file["episode_0/rewards"]
    plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plist.set_chunk((10,))
    plist.set_filter(32015, h5py.h5z.FLAG_OPTIONAL)
    space = h5py.h5s.create_simple((10,))
    group = file["episode_0"].id
    h5py.h5d.create(group, b"rewards", h5py.h5t.IEEE_F64LE, space, dcpl=plist)


def texts(file: Any, secret: Path) -> None:
    del file["episode_0/rewards"]
    file.create_dataset("episode_0/rewards", data=["a"], dtype=h5py.string_dtype())


def references(file: Any, secret: Path) -> None:
    del file["episode_0/rewards"]
    file.create_dataset("episode_0/rewards", (1,), dtype=h5py.ref_dtype)


def a_dataset_for_a_group(file: Any, secret: Path) -> None:
    del file["episode_0"]
    file["episode_0"] = np.zeros(3)


def other_lengths(file: Any, secret: Path) -> None:
    file["episode_0/actions"].resize((1,))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (outside_link, "links to something outside"),
        (soft_link, "links to something outside"),
        (outside_numbers, "numbers are in other files"),
        (virtual, "numbers are in other files"),
        (huge, "announces more than"),
        (plugin, "packed in an unusual way"),
        (texts, "something else than numbers"),
        (references, "something else than numbers"),
        (a_dataset_for_a_group, "an episode is no group"),
        (other_lengths, "one observation more than steps"),
    ],
)
def test_an_hdf5_file_gives_its_own_numbers_or_nothing(
    change: Callable[[Any, Path], None], said: str, local: Path, tmp_path: Path
) -> None:
    secret = tmp_path / "secret.h5"
    with h5py.File(secret, "w") as other:
        other["numbers"] = np.full(10, 42.0)
    (file,) = data_files(local, "point/hdf5-v0")
    written = io.BytesIO(file.read_bytes())
    with h5py.File(written, "a") as made:
        change(made, secret)
    inside = tmp_path / "copy" / "data"
    inside.mkdir(parents=True)
    (inside / file.name).write_bytes(written.getvalue())
    (inside / "metadata.json").write_bytes((file.parent / "metadata.json").read_bytes())
    with pytest.raises((ArtifactRefused, InputError), match=said):
        read_logged_file(tmp_path / "copy")


class Touch:
    """Leaves a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> Any:
        return Path.touch, (self._path,)


def test_arrow_lists_of_other_kinds_are_refused(local: Path, tmp_path: Path) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    (first, *_) = data_files(local, "point/parquet-v0", "parquet")
    table = parquet.read_table(first)
    size = len(table)
    for name, column, said in (
        ("rewards", pa.array(["a"] * size), "rewards are something else than numbers"),
        ("rewards", pa.array([None] * size, pa.float64()), "a number is missing"),
        ("actions", pa.array([{"a": 1}] * size), "actions have several parts"),
    ):
        made = table.set_column(table.column_names.index(name), name, column)
        written = io.BytesIO()
        parquet.write_table(made, written)
        with pytest.raises(minari_columns.Unreadable, match=said):
            minari_columns.npz_of("parquet", [written.getvalue()], 1 << 20)
    with pytest.raises(minari_columns.Unreadable, match="announces more than"):
        minari_columns.npz_of("parquet", [first.read_bytes()], 100)
    # Older versions of the library unpickled what this names.
    pickled = {b"ARROW:extension:name": b"arrow.py_extension_type"}
    pickled[b"ARROW:extension:metadata"] = pickle.dumps(Touch(tmp_path / "struck"))
    field = table.schema.field("rewards").with_metadata(pickled)
    place = table.column_names.index("rewards")
    made = table.set_column(place, field, table.column("rewards"))
    written = io.BytesIO()
    with pa.ipc.new_file(written, made.schema) as writer:
        writer.write_table(made)
    answer = minari_columns.npz_of("arrow", [written.getvalue()], 1 << 20)
    assert len(npz_columns(answer)["reward"]) == size - 1
    assert not (tmp_path / "struck").exists()


SCRIPT = f"""
import sys
import rltransfer_agents.loading.minari_columns as page
page.npz_of = lambda *_: open({__file__!r}).read()
sys.exit(page.main("hdf5", 1000000))
"""


def test_the_process_that_reads_can_open_nothing() -> None:
    child = subprocess.run(
        [sys.executable, "-c", SCRIPT], input=b"", capture_output=True
    )
    assert child.returncode == minari_columns.DAMAGED
    assert child.stdout == b"its library refuses it (OSError)"


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("import os; os.abort()", "the library that reads it gives up"),
        ("import time; time.sleep(60)", "reading it takes over 3 s"),
        ("import sys; print('no number', end=''); sys.exit(3)", "no number; record"),
        ("import sys; print('a\\033[0m' * 999); sys.exit(3)", r"'a\\x1b\[0m.*; record"),
    ],
)
def test_a_reader_that_dies_or_hangs_is_a_refusal(
    code: str, said: str, tmp_path: Path
) -> None:
    page = tmp_path / "page.py"
    page.write_text(code)
    with pytest.raises(ArtifactRefused, match=said):
        read_apart("hdf5", [b"x"], page=str(page), seconds=3.0)
