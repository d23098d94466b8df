"""Pages of a journal: JSON that carries its own SHA-256, numbers beside it."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError

from rltransfer.domain.rollout import Rollout
from rltransfer.errors import ArtifactRefused, UserError
from rltransfer.experience import Transitions
from rltransfer.io import read_json, storage_faults, write_atomically

_RETURNS = "returns"


def as_json(value: Mapping[str, Any]) -> dict[str, Any]:
    """Returns `value` as it comes back from a file: tuples as lists, and so on."""
    read: dict[str, Any] = json.loads(json.dumps(value, allow_nan=False))
    return read


def write_sealed(path: Path, content: Mapping[str, Any]) -> None:
    """Writes `content` together with its SHA-256."""
    page = {"content": content, "sha256": _digest(content)}
    # Keys keep their order: arguments of an environment are named in it.
    write_atomically(path, json.dumps(page, indent=2, allow_nan=False).encode())


def read_sealed(path: Path) -> dict[str, Any]:
    """Returns what `write_sealed` wrote; refuses what was changed since."""
    page = read_json(path)
    if not isinstance(page, dict) or set(page) != {"content", "sha256"}:
        raise _damaged(path)
    content: dict[str, Any] = page["content"]
    if not isinstance(content, dict) or page["sha256"] != _digest(content):
        raise _damaged(path)
    return content


def write_rollout(page: Path, rollout: Rollout) -> dict[str, Any]:
    """Writes the numbers of a rollout beside `page`; returns what that has to say."""
    tensors = {
        f.name: getattr(rollout.transitions, f.name).contiguous()
        for f in fields(Transitions)
    }
    tensors[_RETURNS] = torch.from_numpy(rollout.returns)
    data = safetensors.torch.save(tensors)
    write_atomically(_numbers(page), data)
    return {
        "sha256": hashlib.sha256(data).hexdigest(),
        "unfinished_return": rollout.unfinished_return,
        "unfinished_steps": rollout.unfinished_steps,
    }


def read_rollout(page: Path, told: Mapping[str, Any]) -> Rollout:
    """Returns the rollout beside `page`; refuses it where the page says otherwise."""
    path = _numbers(page)
    with storage_faults(path):
        data = path.read_bytes()
    with damage_named(path):
        if hashlib.sha256(data).hexdigest() != told["sha256"]:
            raise _damaged(path)
        tensors = safetensors.torch.load(data)
        returns = tensors.pop(_RETURNS).numpy()
        return Rollout(
            Transitions(**tensors),
            returns,
            float(told["unfinished_return"]),
            int(told["unfinished_steps"]),
        )


@contextmanager
def damage_named(path: Path) -> Iterator[None]:
    """Turns what a page of another shape leads to into its refusal.

    A hash says that a page is whole, not that a run of ours wrote it.
    """
    try:
        yield
    except UserError:
        raise
    except (LookupError, TypeError, ValueError, RuntimeError, SafetensorError) as fault:
        raise _damaged(path) from fault


def _numbers(page: Path) -> Path:
    return page.with_suffix(".safetensors")


def _digest(content: Mapping[str, Any]) -> str:
    text = json.dumps(content, sort_keys=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _damaged(path: Path) -> ArtifactRefused:
    return ArtifactRefused(
        f"a page of a journal must be as it was written, {path} is damaged; restore "
        "it or start a new run"
    )
