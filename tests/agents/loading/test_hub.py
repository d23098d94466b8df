import errno
import hashlib
import json
import os
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, final

import pytest
from stock_agents import STOCK

from rltransfer.errors import InputError, StorageError
from rltransfer_agents.loading import LoadedPolicy, Refusal, load_agent
from rltransfer_agents.loading.hub import fetch_agent, is_on_hub

hub = pytest.importorskip("huggingface_hub", reason="the extra hub is not installed")

_REPOSITORY = "zoo/ppo-CartPole-v1"
_COMMIT = "1" * 40
Load = Callable[..., LoadedPolicy]


@final
@dataclass
class Shelf:
    """What the local hub holds, and where it answers."""

    files: dict[str, bytes] = field(default_factory=dict)
    announced: dict[str, int] = field(default_factory=dict)
    """Sizes that differ from the files'."""
    broken: set[str] = field(default_factory=set)
    """Files whose sending breaks off."""
    url: str = ""
    requests: list[str] = field(default_factory=list)


def answering(shelf: Shelf) -> type[BaseHTTPRequestHandler]:
    class Hub(BaseHTTPRequestHandler):
        """Answers as far as fetching a repository goes."""

        def log_message(self, *arguments: Any) -> None:
            shelf.requests.append(self.path)

        def do_HEAD(self) -> None:
            self.do_GET()

        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            if path.startswith(f"/api/models/{_REPOSITORY}"):
                return self._api(path.removeprefix(f"/api/models/{_REPOSITORY}"))
            prefix = f"/{_REPOSITORY}/resolve/{_COMMIT}/"
            name = path.removeprefix(prefix)
            if path.startswith(prefix) and name in shelf.files:
                return self._send(200, shelf.files[name], "application/octet-stream")
            return self._missing("RepoNotFound")

        def _api(self, rest: str) -> None:
            if rest.startswith("/revision/") and rest.rpartition("/")[2] not in (
                _COMMIT,
                "main",
            ):
                return self._missing("RevisionNotFound")
            files = [
                {
                    "type": "file",
                    "path": name,
                    "rfilename": name,
                    "size": shelf.announced.get(name, len(data)),
                    "oid": hashlib.sha1(data).hexdigest(),
                }
                for name, data in shelf.files.items()
            ]
            told: Any = files if "/tree/" in rest else {"siblings": files}
            if isinstance(told, dict):
                told |= {"id": _REPOSITORY, "modelId": _REPOSITORY, "sha": _COMMIT}
                told |= {"private": False, "tags": [], "downloads": 0}
            return self._send(200, json.dumps(told).encode(), "application/json")

        def _missing(self, code: str) -> None:
            self.send_response(404)
            self.send_header("X-Error-Code", code)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def _send(self, status: int, data: bytes, kind: str) -> None:
            name = self.path.rpartition("/")[2]
            size = shelf.announced.get(name, len(data))
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(size))
            self.send_header("ETag", f'"{hashlib.sha256(data).hexdigest()}"')
            self.send_header("X-Repo-Commit", _COMMIT)
            self.end_headers()
            if self.command == "GET" and name not in shelf.broken:
                self.wfile.write(data)

    return Hub


@pytest.fixture
def shelf(tmp_path: Path) -> Iterator[Shelf]:
    STOCK["ppo"].save(tmp_path / "agent.zip")
    kept = Shelf(
        {
            "ppo-CartPole-v1.zip": (tmp_path / "agent.zip").read_bytes(),
            "train_eval_metrics.zip": b"curves",
            "README.md": b"an agent",
            "args.yml": b"env: CartPole-v1\n",
            "config.yml": b"normalize: false\n",
            "ppo-CartPole-v1/policy.pth": b"unpacked",
        }
    )
    server = ThreadingHTTPServer(("127.0.0.1", 0), answering(kept))
    kept.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield kept
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def load(shelf: Shelf, tmp_path: Path) -> Load:
    """Reads agents as users do, but from the local hub."""
    fetch = partial(fetch_agent, endpoint=shelf.url, cache=tmp_path / "cache")
    return partial(load_agent, fetch=fetch)


def test_an_agent_is_fetched_and_read(load: Load, shelf: Shelf) -> None:
    agent = load(f"hf://{_REPOSITORY}")
    assert agent.env_id == "CartPole-v1"
    assert agent.provenance["hub"] == {"repository": _REPOSITORY, "revision": _COMMIT}
    assert (
        agent.sha256 == hashlib.sha256(shelf.files["ppo-CartPole-v1.zip"]).hexdigest()
    )


def test_only_what_is_needed_is_fetched(load: Load, shelf: Shelf) -> None:
    load(f"hf://{_REPOSITORY}")
    fetched = {path.rpartition("/")[2] for path in shelf.requests if "resolve" in path}
    assert fetched == {"ppo-CartPole-v1.zip", "args.yml", "config.yml"}


def test_a_path_loses_a_slash_and_still_names_the_hub(
    load: Load,
) -> None:
    assert is_on_hub(Path(f"hf://{_REPOSITORY}"))
    assert load(Path(f"hf://{_REPOSITORY}@main")).algorithm == "ppo"


def test_the_cache_serves_without_a_network(shelf: Shelf, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    before = fetch_agent(f"hf://{_REPOSITORY}", endpoint=shelf.url, cache=cache)
    # Nobody listens on the first port.
    after = fetch_agent(
        f"hf://{_REPOSITORY}", endpoint="http://127.0.0.1:1", cache=cache
    )
    assert after == before


def test_without_network_and_cache_the_way_out_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="connect, or pass the path of a file"):
        fetch_agent(
            f"hf://{_REPOSITORY}", endpoint="http://127.0.0.1:1", cache=tmp_path / "no"
        )


def test_a_hub_that_never_answers_is_not_waited_for(
    shelf: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DOWNLOAD_TIMEOUT", 1)
    before = hub.get_session().event_hooks
    # The system takes connections for it, nobody reads them.
    with socket.create_server(("127.0.0.1", 0)) as silent:
        endpoint = "http://{}:{}".format(*silent.getsockname())
        asked = f"hf://{_REPOSITORY}"
        with pytest.raises(InputError, match="not in the cache and the hub cannot be"):
            fetch_agent(asked, endpoint=endpoint, cache=tmp_path / "no")
        cache = tmp_path / "cache"
        fetched = fetch_agent(asked, endpoint=shelf.url, cache=cache)
        assert fetch_agent(asked, endpoint=endpoint, cache=cache) == fetched
    assert hub.get_session().event_hooks == before


def test_statistics_come_with_the_agent(load: Load, shelf: Shelf) -> None:
    shelf.files["config.yml"] = b"normalize: true\n"
    with pytest.raises(Refusal, match="no statistics"):
        load(f"hf://{_REPOSITORY}")


@pytest.mark.parametrize(
    ("reference", "said"),
    [
        ("hf://zoo/nothing", "no such repository"),
        (f"hf://{_REPOSITORY}@never", "no such revision"),
        ("hf://zoo", "is named hf://ORGANISATION/REPOSITORY"),
        ("hf://zoo/a/b", "is named hf://ORGANISATION/REPOSITORY"),
        ("hf://zoo/a@b c", "is named hf://ORGANISATION/REPOSITORY"),
        ("hf://../x", "no repository of the hub may have such a name"),
        ("hf://a--b/c..d", "no repository of the hub may have such a name"),
        ("hf://zoo/a.git", "no repository of the hub may have such a name"),
    ],
)
def test_wrong_references_are_told(load: Load, reference: str, said: str) -> None:
    with pytest.raises(InputError, match=said) as refused:
        load(reference)
    assert "\n" not in str(refused.value)


def test_two_agents_are_not_guessed_between(load: Load, shelf: Shelf) -> None:
    shelf.files["a.zip"] = shelf.files["b.zip"] = shelf.files.pop("ppo-CartPole-v1.zip")
    with pytest.raises(InputError, match="must hold one agent"):
        load(f"hf://{_REPOSITORY}")


def test_a_huge_file_is_not_fetched(load: Load, shelf: Shelf) -> None:
    shelf.announced["ppo-CartPole-v1.zip"] = 1 << 40
    with pytest.raises(Refusal, match="a file may have"):
        load(f"hf://{_REPOSITORY}")


def test_a_connection_that_breaks_off_is_told(
    load: Load, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.file_download.time.sleep", lambda _: None)
    shelf.broken.add("ppo-CartPole-v1.zip")
    with pytest.raises(InputError, match="the connection to the hub broke off"):
        load(f"hf://{_REPOSITORY}")


@pytest.mark.parametrize(
    "fault",
    [
        OSError("file should be of size 7 but has size 3\ntry again"),
        ConnectionResetError(errno.ECONNRESET, "reset by peer"),
        TimeoutError(errno.ETIMEDOUT, "timed out"),
        RuntimeError("Data processing error: CAS service error"),
    ],
)
def test_a_network_that_fails_is_no_fault_of_the_disk(
    load: Load,
    shelf: Shelf,
    monkeypatch: pytest.MonkeyPatch,
    fault: Exception,
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise fault

    monkeypatch.setattr("huggingface_hub.snapshot_download", fail)
    with pytest.raises(InputError, match="broke off; try again") as refused:
        load(f"hf://{_REPOSITORY}")
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EIO])
def test_a_cache_that_takes_nothing_is_told(
    load: Load,
    shelf: Shelf,
    monkeypatch: pytest.MonkeyPatch,
    code: int,
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise OSError(code, os.strerror(code), "/cache")

    monkeypatch.setattr("huggingface_hub.snapshot_download", fail)
    with pytest.raises(StorageError, match=os.strerror(code) + ".*HF_HOME"):
        load(f"hf://{_REPOSITORY}")


def test_a_file_in_the_place_of_the_cache_is_told(
    load: Load, shelf: Shelf, tmp_path: Path
) -> None:
    (tmp_path / "cache").touch()
    with pytest.raises(StorageError, match=r"cannot be written.*HF_HOME"):
        load(f"hf://{_REPOSITORY}")


def test_the_hash_is_checked(load: Load, shelf: Shelf) -> None:
    with pytest.raises(Refusal, match="must have the SHA-256"):
        load(f"hf://{_REPOSITORY}", sha256="0" * 64)
