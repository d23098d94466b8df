"""A Ray that is not there is refused in one line, in time, and nothing is made."""

import socket
import sys
from pathlib import Path

import pytest

import rltransfer
from rltransfer.errors import InputError
from rltransfer.workflows.ray_pool import ray_pool


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@pytest.mark.parametrize("verb", ["benchmark", "train_source"])
@pytest.mark.parametrize(
    ("address", "reason"),
    [("127.0.0.1:{}", "Connection refused"), ("nowhere", "Invalid address")],
)
def test_an_address_that_does_not_answer_is_refused(
    tmp_path: Path, verb: str, address: str, reason: str
) -> None:
    folder, named = tmp_path / "logs", address.format(free_port())
    with pytest.raises(InputError, match=reason) as refused:
        if verb == "benchmark":
            logs = folder / "tensorboard"
            rltransfer.benchmark(
                "classic", ray=named, log_folder=folder, tensorboard_log=logs
            )
        else:
            rltransfer.train_source("CartPole-v1", ray=named, log_folder=folder)
    assert "\n" not in str(refused.value)
    assert f"got '{named}'" in str(refused.value)
    assert "start Ray there" in str(refused.value)
    assert refused.value.exit_status == 2
    assert not folder.exists()


def test_what_listens_and_is_no_ray_is_not_waited_for(tmp_path: Path) -> None:
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen()
        named = f"127.0.0.1:{deaf.getsockname()[1]}"
        with (
            pytest.raises(InputError, match="no Ray answered within 2 seconds"),
            ray_pool(named, None, tmp_path, answer_seconds=2.0),
        ):
            raise AssertionError("connected to nothing")


def test_the_extra_is_named_where_it_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(InputError, match=r"pip install 'rltransfer\[ray\]'"):
        rltransfer.benchmark("classic", ray="local", log_folder=tmp_path / "logs")
    assert not (tmp_path / "logs").exists()


def test_numbers_of_trainings_are_at_least_one(tmp_path: Path) -> None:
    for option in ("seeds", "jobs"):
        with pytest.raises(InputError, match=f"--{option} is at least 1, got 0"):
            rltransfer.train_source(
                "CartPole-v1", log_folder=tmp_path / "logs", **{option: 0}
            )
    assert not (tmp_path / "logs").exists()
