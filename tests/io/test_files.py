"""The writer leaves the old file or the new one; the reader takes no ambiguity."""

import errno
import os
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from rltransfer.errors import ArtifactRefused, StorageError
from rltransfer.io import (
    cut_back,
    make_folder,
    read_json,
    remove_drafts,
    sha256_of,
    write_after,
    write_atomically,
    write_json,
)
from tests.worlds.os_calls import DRAFT, ROWS, counted_os_calls


def test_a_written_file_replaces_the_old_one_and_leaves_nothing_else(
    tmp_path: Path,
) -> None:
    path = tmp_path / "model.zip"
    write_atomically(path, b"old")
    write_atomically(path, b"new")
    assert path.read_bytes() == b"new"
    assert os.listdir(tmp_path) == ["model.zip"]


class Killed(BaseException):
    """Passes every handler, as a kill does."""


def fault_at(point: str, fault: BaseException) -> AbstractContextManager[None]:
    """Lets writing fail with `fault` at a point of it."""

    def happens(name: str) -> None:
        if name == point:
            raise fault

    return counted_os_calls(happens)


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO, errno.EROFS, errno.ENOENT])
@pytest.mark.parametrize("point", DRAFT)
def test_a_disk_fault_at_any_point_keeps_the_old_or_the_new_file(
    tmp_path: Path, point: str, code: int
) -> None:
    path = tmp_path / "model.zip"
    write_atomically(path, b"old")
    fault = OSError(code, os.strerror(code))
    with (
        fault_at(point, fault),
        pytest.raises(StorageError, match=r"model\.zip"),
    ):
        write_atomically(path, b"new")
    assert path.read_bytes() in (b"old", b"new")
    assert os.listdir(tmp_path) == ["model.zip"]


@pytest.mark.parametrize("point", DRAFT)
def test_a_kill_at_any_point_keeps_the_old_or_the_new_file(
    tmp_path: Path, point: str
) -> None:
    path = tmp_path / "model.zip"
    write_atomically(path, b"old")
    with fault_at(point, Killed()), pytest.raises(Killed):
        write_atomically(path, b"new")
    assert path.read_bytes() in (b"old", b"new")
    remove_drafts(tmp_path)
    assert os.listdir(tmp_path) == ["model.zip"]


def test_a_disk_that_takes_a_part_is_written_to_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = os.write
    monkeypatch.setattr(os, "write", lambda handle, data: write(handle, data[:2]))
    write_atomically(tmp_path / "model.zip", b"all of it")
    assert (tmp_path / "model.zip").read_bytes() == b"all of it"


def test_a_missing_folder_is_said_to_be_gone(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="gone"):
        write_atomically(tmp_path / "nowhere" / "model.zip", b"")


def test_a_file_where_a_folder_should_be_is_a_storage_fault(tmp_path: Path) -> None:
    (tmp_path / "runs").touch()
    with pytest.raises(StorageError):
        make_folder(tmp_path / "runs")


def test_sha256_is_the_published_one_of_three_letters(tmp_path: Path) -> None:
    path = tmp_path / "abc"
    path.write_bytes(b"abc")
    assert sha256_of(path) == (
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    )


def test_json_comes_back_equal_and_is_written_in_a_stable_order(
    tmp_path: Path,
) -> None:
    path = tmp_path / "manifest.json"
    write_json(path, {"b": [1, 2.5, None], "a": "ä"})
    assert read_json(path) == {"a": "ä", "b": [1, 2.5, None]}
    assert path.read_text().index('"a"') < path.read_text().index('"b"')
    assert path.read_text().endswith("}\n")


def test_numbers_outside_json_are_not_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError):
        write_json(tmp_path / "manifest.json", {"loss": float("nan")})
    assert not os.listdir(tmp_path)


@pytest.mark.parametrize(
    "text",
    [
        '{"a": 1, "a": 2}',
        '{"a": NaN}',
        '{"a": -Infinity}',
        '{"a": 1e999}',
        "{'a': 1}",
        '{"a": 1',
        "",
        "[" * 100_000,
        '"\ud800"'.encode("utf-8", "surrogatepass"),
    ],
)
def test_loose_json_is_refused_naming_the_file(
    tmp_path: Path, text: str | bytes
) -> None:
    path = tmp_path / "manifest.json"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ArtifactRefused, match=r"manifest\.json is not strict JSON"):
        read_json(path)


def test_json_that_is_no_plain_file_or_a_huge_one_is_refused_unread(
    tmp_path: Path,
) -> None:
    path = tmp_path / "manifest.json"
    os.mkfifo(path)
    with pytest.raises(ArtifactRefused, match="no plain file"):
        read_json(path)
    path.unlink()
    with path.open("wb") as file:
        file.truncate(3 << 30)
    with pytest.raises(ArtifactRefused, match="may have 16777216 bytes"):
        read_json(path)
    path.write_bytes(b"[1, 2]")
    assert read_json(path, most=6) == [1, 2]
    with pytest.raises(ArtifactRefused, match="may have 5 bytes"):
        read_json(path, most=5)


def test_a_repeated_key_among_many_is_found_and_shown_in_short(tmp_path: Path) -> None:
    path = tmp_path / "manifest.json"
    keys = [f"{number:x}" for number in range(200_000)] + ["x" * 1000] * 2
    path.write_text("{" + ", ".join(f'"{key}": 1' for key in keys) + "}")
    with pytest.raises(ArtifactRefused, match="is given twice") as refused:
        read_json(path)
    assert len(str(refused.value)) < 200 + len(str(path))


@pytest.mark.parametrize("part", ["[],", "{},", "1,", '"":1,'])
def test_json_of_endless_values_is_refused_before_it_is_read(
    tmp_path: Path, part: str
) -> None:
    path = tmp_path / "manifest.json"
    path.write_text("[" + part * (3 << 20))
    with pytest.raises(ArtifactRefused, match=r"may have \d+ (values|lists)"):
        read_json(path)


def test_adding_replaces_what_follows_and_keeps_what_stands_before(
    tmp_path: Path,
) -> None:
    path = tmp_path / "rows-000000000000.bin"
    write_after(path, 0, b"12345")
    write_after(path, 3, b"x")
    assert path.read_bytes() == b"123x"


@pytest.mark.parametrize("point", ROWS)
def test_a_kill_while_adding_keeps_what_stands_before(
    tmp_path: Path, point: str
) -> None:
    path = tmp_path / "rows-000000000000.bin"
    write_after(path, 0, b"12345")
    with fault_at(point, Killed()), pytest.raises(Killed):
        write_after(path, 5, b"678")
    assert path.read_bytes().startswith(b"12345")


def test_cutting_back_never_lengthens_a_file(tmp_path: Path) -> None:
    path = tmp_path / "rows-000000000000.bin"
    path.write_bytes(b"12345")
    cut_back(path, 9)
    assert path.read_bytes() == b"12345"
    cut_back(path, 2)
    assert path.read_bytes() == b"12"


def test_a_stop_while_writing_leaves_no_draft(tmp_path: Path) -> None:
    with (
        fault_at("draft:half a write", KeyboardInterrupt()),
        pytest.raises(KeyboardInterrupt),
    ):
        write_atomically(tmp_path / "model.zip", b"new")
    assert os.listdir(tmp_path) == []
