"""Files of version 0.1.0, built by hand: read, or refused with what to do."""

import json
import struct
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from rltransfer.errors import ArtifactRefused
from rltransfer_agents.export import export_agent
from rltransfer_agents.loading.bundle import read_bundle
from rltransfer_agents.training import resume_source
from tests.agents.training.conftest import Prepared


def bundle_of_version_1(data: bytes) -> bytes:
    """Returns a bundle as version 0.1.0 wrote it."""
    (length,) = struct.unpack_from("<Q", data)
    header: dict[str, Any] = json.loads(data[8 : 8 + length])
    metadata = header.pop("__metadata__")
    header = {
        "__metadata__": {
            "format": "rltransfer-agent-1",
            "sha256": "0" * 64,
            "agent": metadata["content"],
        },
        **header,
    }
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    blank = struct.pack("<Q", len(text)) + text + data[8 + length :]
    return blank.replace(b"0" * 64, sha256(blank).hexdigest().encode(), 1)


def test_a_bundle_is_read(finished: Prepared, tmp_path: Path) -> None:
    path = tmp_path / "agent.safetensors"
    export_agent(finished("a2c"), path)
    data = path.read_bytes()
    now, before = read_bundle(data), read_bundle(bundle_of_version_1(data))
    assert now.keywords == before.keywords
    for name, weights in now.tensors.items():
        assert weights.tobytes() == before.tensors[name].tobytes()
    assert now.normalisations.keys() == before.normalisations.keys() != set()


def test_a_finished_training_is_shown_as_it_is(finished: Prepared) -> None:
    folder = finished("ppo")
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text())
    results = manifest["results"]
    results["doubts"] = [*results.pop("reproducibility_warnings"), "torch was older"]
    path.write_text(json.dumps(manifest))
    assert resume_source(folder).reproducibility_warnings == ("torch was older",)


def test_an_unfinished_training_is_refused_with_what_to_do(stopped: Prepared) -> None:
    folder = stopped("ppo")
    for path in (folder / ".resume").glob("state*"):
        path.write_bytes(b"rltransfer snapshot 1\n" + b"0" * 64)
    with pytest.raises(
        ArtifactRefused, match=r"by version 0\.1\.0 of rltransfer.*; start a new run"
    ):
        resume_source(folder)
