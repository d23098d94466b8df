"""A hub on a free loopback port, as far as its own client goes to push and to fetch.

It keeps repositories in memory; a commit is there whole or not at all. Tests tell it
what to refuse and where to break off.
"""

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, final
from urllib.parse import unquote

import yaml

TOKEN = "hf_" + "standin" * 5
LARGE = 1000
"""Files of more bytes are sent on their own, as on the hub."""


@final
@dataclass
class Repo:
    """One repository, at its newest commit."""

    private: bool = False
    files: dict[str, bytes] = field(default_factory=dict)
    commits: list[str] = field(default_factory=list)

    @property
    def sha(self) -> str:
        return hashlib.sha1(repr(sorted(self.files.items())).encode()).hexdigest()

    @property
    def tags(self) -> list[str]:
        """Of its card, as the hub reads them."""
        card = self.files.get("README.md", b"").decode()
        front = card.split("---\n")[1] if card.startswith("---\n") else "{}"
        found: list[str] = (yaml.safe_load(front) or {}).get("tags", [])
        return found


@final
@dataclass
class StandIn:
    """What the hub holds, how it misbehaves, and what it was asked."""

    url: str = ""
    repos: dict[str, Repo] = field(default_factory=dict)
    blobs: dict[str, bytes] = field(default_factory=dict)
    refused: dict[str, int] = field(default_factory=dict)
    """Status by the place that gives it: a part of an address."""
    cut: set[str] = field(default_factory=set)
    """Places where the connection ends without an answer."""
    silent: set[str] = field(default_factory=set)
    """Places where it stays open without one, to the end."""
    over: threading.Event = field(default_factory=threading.Event)
    """That end."""
    asked: list[str] = field(default_factory=list)


def _answering(hub: StandIn) -> type[BaseHTTPRequestHandler]:
    class Answers(BaseHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            hub.asked.append(f"{self.command} {self.path}")

        def do_HEAD(self) -> None:
            self._answer()

        def do_GET(self) -> None:
            self._answer()

        def do_POST(self) -> None:
            self._answer()

        def do_PUT(self) -> None:
            self._answer()

        def _answer(self) -> None:
            data = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            path = unquote(self.path.partition("?")[0])
            if any(place in path for place in hub.silent):
                hub.over.wait()
            if any(place in path for place in hub.cut | hub.silent):
                self.log_message()
                self.close_connection = True
                return None
            for place, status in hub.refused.items():
                if place in path:
                    return self._json({"error": "refused"}, status)
            may_write = self.headers.get("Authorization") == f"Bearer {TOKEN}"
            if path.startswith("/lfs/"):
                hub.blobs[path.removeprefix("/lfs/")] = data
                return self._json({})
            if self.command == "POST" or path == "/api/whoami-v2":
                if not may_write:
                    return self._json({"error": "Invalid user token."}, 401)
                return self._write(path, data)
            return self._read(path.strip("/").split("/"))

        def _write(self, path: str, data: bytes) -> None:
            if path == "/api/whoami-v2":
                return self._json({"name": "me", "orgs": []})
            if path == "/api/validate-yaml":
                return self._json({"errors": [], "warnings": []})
            if path == "/api/repos/create":
                told = json.loads(data)
                name = f"{told['organization']}/{told['name']}"
                hub.repos[name] = Repo(told.get("visibility") == "private")
                return self._json({"url": f"{hub.url}/{name}"})
            if path.endswith("/info/lfs/objects/batch"):
                return self._json({"objects": [_lfs(o) for o in _objects(data)]})
            name, verb = "/".join(path.split("/")[3:5]), path.split("/")[5]
            if name not in hub.repos:
                return self._missing("RepoNotFound")
            if verb == "preupload":
                return self._json(
                    {"files": list(map(_mode, json.loads(data)["files"]))}
                )
            return self._commit(hub.repos[name], name, data)

        def _commit(self, repo: Repo, name: str, data: bytes) -> None:
            files = dict(repo.files)
            for line in map(json.loads, data.splitlines()):
                value = line["value"]
                match line["key"]:
                    case "header":
                        if value.get("parentCommit", repo.sha) != repo.sha:
                            return self._json({"error": "not the newest"}, 412)
                        message = value["summary"]
                    case "file":
                        files[value["path"]] = base64.b64decode(value["content"])
                    case "lfsFile":
                        files[value["path"]] = hub.blobs[value["oid"]]
                    case "deletedFile":
                        del files[value["path"]]
            repo.files = files
            repo.commits.append(message)
            url = f"{hub.url}/{name}/commit/{repo.sha}"
            return self._json({"commitUrl": url, "commitOid": repo.sha})

        def _read(self, parts: list[str]) -> None:
            of_api = parts[:2] == ["api", "models"]
            name = "/".join(parts[2:4] if of_api else parts[:2])
            repo = hub.repos.get(name)
            if repo is None:
                return self._missing("RepoNotFound")
            if not of_api:
                file = "/".join(parts[4:])
                if file not in repo.files:
                    return self._missing("EntryNotFound")
                return self._send(repo.files[file], "application/octet-stream", repo)
            files = [_listed(*entry) for entry in repo.files.items()]
            if "tree" in parts:
                return self._json(files)
            told = {"siblings": files, "id": name, "modelId": name, "sha": repo.sha}
            more = {"private": repo.private, "tags": repo.tags, "downloads": 0}
            return self._json({**told, **more})

        def _json(self, value: Any, status: int = 200) -> None:
            self._send(json.dumps(value).encode(), "application/json", status=status)

        def _missing(self, code: str) -> None:
            self.send_response(404)
            self.send_header("X-Error-Code", code)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def _send(
            self, data: bytes, kind: str, repo: Repo | None = None, status: int = 200
        ) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(data)))
            if repo is not None:
                self.send_header("ETag", f'"{hashlib.sha256(data).hexdigest()}"')
                self.send_header("X-Repo-Commit", repo.sha)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(data)

    def _lfs(wanted: dict[str, Any]) -> dict[str, Any]:
        upload = {"href": f"{hub.url}/lfs/{wanted['oid']}"}
        return {**wanted, "actions": {"upload": upload}}

    return Answers


def _objects(data: bytes) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(data)["objects"]
    return found


def _mode(file: dict[str, Any]) -> dict[str, Any]:
    mode = "lfs" if file["size"] > LARGE else "regular"
    return {"path": file["path"], "uploadMode": mode, "shouldIgnore": False}


def _listed(name: str, data: bytes) -> dict[str, Any]:
    digest = hashlib.sha1(data).hexdigest()
    return {
        "type": "file",
        "path": name,
        "rfilename": name,
        "size": len(data),
        "oid": digest,
    }


@contextmanager
def stand_in_hub() -> Iterator[StandIn]:
    """Answers until the block ends."""
    hub = StandIn()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _answering(hub))
    hub.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        hub.over.set()
        server.shutdown()
        server.server_close()
        thread.join()


def variables_of(hub: StandIn) -> dict[str, str]:
    """Returns what the hub's client reads in its environment to find this one."""
    return {
        "HF_ENDPOINT": hub.url,
        "HF_TOKEN": TOKEN,
        # The stand-in has neither.
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    }
