"""What a stored network looks like on disk."""

import hashlib
import json
from pathlib import Path

from rltransfer.errors import ArtifactRefused

MANIFEST = "manifest.json"
NUMBERS = "numbers.safetensors"
DESCRIPTION = "network.json"
DOMAIN_MAPPING = "domain-mapping"
"""Names a `DomainMapping`, which is no network, among the architectures."""


def manifest_of(files: dict[str, bytes]) -> bytes:
    """Returns the manifest that vouches for these files.

    Compared as bytes, so that it needs no reading and no change in it goes unseen.
    """
    hashes = {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
    manifest = {"format": "rltransfer-network", "format_version": 1, "sha256": hashes}
    return f"{json.dumps(manifest, indent=2, sort_keys=True)}\n".encode()


def refused(folder: Path, reason: str) -> ArtifactRefused:
    """Returns the error that says why `folder` cannot be loaded."""
    return ArtifactRefused(
        f"{folder} cannot be loaded as a network: {reason}; restore it or save it anew"
    )
