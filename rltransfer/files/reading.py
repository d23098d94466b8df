"""Files read strictly."""

import hashlib
import json
import math
from pathlib import Path
from typing import Any

from rltransfer.errors import ArtifactRefused
from rltransfer.files.faults import storage_faults

_CHUNK = 1 << 20


def sha256_of(path: Path) -> str:
    """Returns the SHA-256 of a file in hexadecimal."""
    digest = hashlib.sha256()
    with storage_faults(path), path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def read_json(path: Path) -> Any:
    """Returns the value of a JSON file without duplicate keys or infinite numbers."""
    with storage_faults(path):
        data = path.read_bytes()
    try:
        return json.loads(
            data.decode(),
            object_pairs_hook=_unique_keys,
            parse_constant=_finite,
            parse_float=_finite,
        )
    # json recurses once per bracket, so deep nesting ends in a RecursionError.
    except (ValueError, RecursionError) as fault:
        reason = "nested too deeply" if isinstance(fault, RecursionError) else fault
        raise ArtifactRefused(
            f"{path} is not strict JSON ({reason}); restore it or write it anew"
        ) from fault


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    entries = dict(pairs)
    if len(entries) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"key {twice!r} is given twice")
    return entries


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"number {text} is not finite")
    return number
