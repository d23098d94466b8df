"""What a stored network looks like on disk."""

from pathlib import Path

from rltransfer.errors import ArtifactRefused

FORMAT = {"format": "rltransfer-network", "format_version": 1}
MANIFEST = "manifest.json"
NUMBERS = "numbers.safetensors"
DESCRIPTION = "network.json"
DOMAIN_MAPPING = "domain-mapping"
"""Names a `DomainMapping`, which is no network, among the architectures."""


def refused(folder: Path, reason: str) -> ArtifactRefused:
    """Returns the error that says why `folder` cannot be loaded."""
    return ArtifactRefused(
        f"{folder} cannot be loaded as a network: {reason}; restore it or save it anew"
    )
