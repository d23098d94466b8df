import gzip
import hashlib
import io
import urllib.error
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from digits.digit_files import (
    FASHION_MNIST,
    MNIST,
    Collection,
    Offline,
    PublishedFile,
    contents,
    read_idx,
)
from digits.digit_tasks import (
    Task,
    bundled_digits,
    fashion_mnist,
    in_frame,
    mnist,
    source_task,
)
from digits.digit_training import accuracy
from rltransfer.errors import ArtifactRefused, InputError, StorageError
from rltransfer.mapping import Affine, Examples
from tests.scripts.conftest import idx, list_hashes, real_data

LABELS = "train-labels-idx1-ubyte.gz"
IMAGES = "train-images-idx3-ubyte.gz"


def one_line(fault: pytest.ExceptionInfo[Any]) -> str:
    assert "\n" not in str(fault.value)
    return str(fault.value)


# The format.


def test_idx_is_read_back() -> None:
    values = np.arange(24).reshape(2, 3, 4)
    np.testing.assert_array_equal(read_idx(idx(values), 3, "it"), values)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (idx(np.arange(9))[:-9], "not a whole gzip file"),
        (b"<html>", "not a whole gzip file"),
        (idx(np.zeros((3, 3))), "magic number must be 2049, it is 2050"),
    ],
)
def test_what_is_no_idx_of_labels_is_refused(data: bytes, reason: str) -> None:
    with pytest.raises(ArtifactRefused, match=reason) as fault:
        read_idx(data, 1, "labels.gz")
    assert one_line(fault).startswith("labels.gz is refused")


def test_an_idx_shorter_than_announced_is_refused() -> None:
    cut = gzip.compress(gzip.decompress(idx(np.arange(9)))[:-2])
    with pytest.raises(ArtifactRefused, match="announces 9 bytes and has 7"):
        read_idx(cut, 1, "it")
    with pytest.raises(ArtifactRefused, match="header needs 8 bytes, it has 5"):
        read_idx(gzip.compress(b"12345"), 1, "it")


# A folder that the user gives.


def test_a_folder_that_lists_its_own_hashes_is_read(tiny: Path) -> None:
    task = mnist(tiny)
    assert task.train.inputs.shape == (120, 784)
    assert task.test.labels.tolist() == [*range(10)] * 4
    assert 0 <= task.train.inputs.min() < task.train.inputs.max() <= 1


def test_other_data_than_the_published_need_hashes(tiny: Path) -> None:
    (tiny / "mnist" / "SHA256SUMS").unlink()
    with pytest.raises(ArtifactRefused, match="cut off after") as fault:
        mnist(tiny)
    one_line(fault)


def test_a_changed_file_is_refused(tiny: Path) -> None:
    path = tiny / "mnist" / LABELS
    path.write_bytes(path.read_bytes()[:-1] + b"!")
    with pytest.raises(ArtifactRefused, match="SHA-256 must be") as fault:
        mnist(tiny)
    assert str(path) in one_line(fault)


def test_a_missing_file_is_named(tiny: Path) -> None:
    (tiny / "fashion-mnist" / IMAGES).unlink()
    with pytest.raises(InputError, match=f"needs fashion-mnist/{IMAGES}") as fault:
        fashion_mnist(tiny)
    one_line(fault)


def test_labels_and_pictures_must_fit(tiny: Path) -> None:
    (tiny / "mnist" / LABELS).write_bytes(idx(np.zeros(119)))
    list_hashes(tiny / "mnist")
    with pytest.raises(ArtifactRefused, match="120 labels below 10 are needed"):
        mnist(tiny)
    (tiny / "mnist" / IMAGES).write_bytes(idx(np.zeros((120, 8, 8))))
    list_hashes(tiny / "mnist")
    with pytest.raises(ArtifactRefused, match="must be 28 by 28, they are 8 by 8"):
        mnist(tiny)


# Mirrors and the cache.

DATA = idx(np.arange(10))
FILE = PublishedFile("some.gz", len(DATA), hashlib.sha256(DATA).hexdigest())
SOME = Collection("some", ("https://one", "https://two"), (FILE,) * 4)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "rltransfer" / "some"


def mirrors(monkeypatch: pytest.MonkeyPatch, **answers: bytes) -> list[str]:
    """Lets mirrors answer so, the others not at all; returns who will be asked."""
    asked = []

    def answer(url: str, timeout: float) -> io.BytesIO:
        host = url.split("/")[2]
        asked.append(host)
        if host not in answers:
            raise urllib.error.URLError("no route to host")
        return io.BytesIO(answers[host])

    monkeypatch.setattr("urllib.request.urlopen", answer)
    return asked


def test_the_second_mirror_helps_out_and_the_cache_remembers(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = mirrors(monkeypatch, two=DATA)
    for _ in range(2):
        assert contents(SOME, FILE, None) == (DATA, str(cache / "some.gz"))
    assert asked == ["one", "two"]


def test_a_damaged_cache_is_filled_again(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache.mkdir(parents=True)
    (cache / "some.gz").write_bytes(DATA[:-1])
    mirrors(monkeypatch, one=DATA)
    assert contents(SOME, FILE, None)[0] == DATA
    assert (cache / "some.gz").read_bytes() == DATA


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        (DATA[:-5], f"cut off after {len(DATA) - 5} of {len(DATA)} bytes"),
        (DATA + b"!", "SHA-256 must be"),
        (b"!" + DATA[1:], "SHA-256 must be"),
    ],
)
def test_what_a_mirror_sends_wrong_is_refused_and_not_kept(
    sent: bytes, reason: str, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mirrors(monkeypatch, one=sent)
    with pytest.raises(ArtifactRefused, match=reason) as fault:
        contents(SOME, FILE, None)
    one_line(fault)
    assert not cache.exists()


def test_no_network_is_one_line(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mirrors(monkeypatch)
    with pytest.raises(Offline, match=r"no route to host.*--data-dir") as fault:
        contents(SOME, FILE, None)
    one_line(fault)
    assert not cache.exists()


def test_a_cache_that_cannot_be_written_is_reported(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache.parent.write_text("a file where the folder should be")
    mirrors(monkeypatch, one=DATA)
    with pytest.raises(StorageError, match="XDG_CACHE_HOME") as fault:
        contents(SOME, FILE, None)
    one_line(fault)


def test_offline_the_bundled_digits_are_used(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mirrors(monkeypatch)
    task, line = source_task(None)
    assert task.name == "digits"
    assert line.startswith("Data: scikit-learn's bundled digits, not MNIST")
    assert "\n" not in line


def test_every_collection_has_two_mirrors() -> None:
    for collection in (MNIST, FASHION_MNIST):
        assert len({mirror.split("/")[2] for mirror in collection.mirrors}) == 2


# The tasks.


def test_a_frame_is_a_box_with_a_border() -> None:
    framed = in_frame(torch.ones(1, 8, 8))
    assert framed.shape == (1, 28, 28)
    assert framed.sum().item() == pytest.approx(400)
    assert framed[0, 4:24, 4:24].min().item() == pytest.approx(1)


def test_the_bundled_digits_lie_in_the_frame() -> None:
    task = bundled_digits(None)
    assert (len(task.train), len(task.test)) == (1297, 500)
    pictures = task.train.inputs.view(-1, 28, 28)
    assert pictures[:, :4].abs().max() == 0
    assert pictures.max() == pytest.approx(1, abs=0.05)
    assert task.test.labels.unique().tolist() == [*range(10)]


def test_accuracy_counts_over_all_batches() -> None:
    inputs = torch.zeros(2500, 2)
    inputs[:, 1] = 1
    labels = torch.ones(2500, dtype=torch.long)
    labels[:500] = 0
    network = Affine.of(torch.eye(2), torch.zeros(2))
    assert accuracy(network, Examples(inputs, labels)) == pytest.approx(80)


@pytest.mark.parametrize("load", [mnist, fashion_mnist])
def test_the_published_files_are_accepted(load: Any) -> None:
    task: Task = load(real_data())
    assert (len(task.train), len(task.test)) == (60_000, 10_000)
    assert task.test.labels.bincount(minlength=10).sum() == 10_000
