"""Stable-Baselines3's zip, taken apart."""

import hashlib
import re
from dataclasses import dataclass
from typing import Any, final

from gymnasium import spaces
from numpy.typing import NDArray

from rltransfer_agents.reading.archive import read_members
from rltransfer_agents.reading.checkpoint.fields import (
    algorithm_of,
    exploration_of,
    ignored_of,
    keywords_of,
    policy_class_of,
    space_of_field,
    whole_number,
)
from rltransfer_agents.reading.keywords import Keywords
from rltransfer_agents.reading.refusal import Refusal, naming, shown
from rltransfer_agents.reading.strict_json import parse_object
from rltransfer_agents.reading.torch_file import read_tensors

_MEMBER = re.compile(
    r"data|_stable_baselines3_version|system_info\.txt|"
    r"[a-z_]+(?:\.optimizer)?\.pth"
)
_NEEDED = ("data", "policy.pth")
_WANTED = {*_NEEDED, "_stable_baselines3_version", "system_info.txt"}


@final
@dataclass(frozen=True, eq=False)
class Checkpoint:
    """What a zip says about an agent; nothing of it was run."""

    algorithm: str
    policy_class: str
    observation_space: spaces.Space[Any]
    action_space: spaces.Space[Any]
    keywords: Keywords
    tensors: dict[str, NDArray[Any]]
    exploration: float
    steps: int | None
    seed: int | None
    versions: dict[str, str]
    """Of Stable-Baselines3, Python, torch and so on, as the file says."""
    sha256: str
    ignored: tuple[str, ...]
    """Fields that were not read, the pickled ones marked."""


def is_member(name: str) -> bool:
    """Tells whether a member of this name belongs into a checkpoint."""
    return _MEMBER.fullmatch(name) is not None


def checkpoint_members(data: bytes) -> dict[str, bytes]:
    """Returns the members that are read, of which two are needed.

    Raises:
        Refusal: if the zip is damaged, holds strange members or lacks a needed one.
    """
    members = read_members(data, allowed=is_member, wanted=_WANTED.__contains__)
    for name in _NEEDED:
        if name not in members:
            raise Refusal(
                "archive", f"an agent's zip must hold {name}, this one lacks it"
            )
    return members


def read_checkpoint(data: bytes) -> Checkpoint:
    """Returns the contents of a zip written by Stable-Baselines3.

    Raises:
        Refusal: if it is damaged, unsafe, or no agent with a stock policy.
    """
    members = checkpoint_members(data)
    with naming("data"):
        fields = parse_object(members["data"])
        policy_class = policy_class_of(fields)
        observation_space = space_of_field(fields, "observation_space")
        action_space = space_of_field(fields, "action_space")
        keywords = keywords_of(fields)
        exploration = exploration_of(fields)
    with naming("policy.pth"):
        tensors = read_tensors(members["policy.pth"])
    return Checkpoint(
        algorithm=algorithm_of(policy_class, fields),
        policy_class=policy_class,
        observation_space=observation_space,
        action_space=action_space,
        keywords=keywords,
        tensors=tensors,
        exploration=exploration,
        steps=whole_number(fields, "num_timesteps"),
        seed=whole_number(fields, "seed"),
        versions=versions_of(members),
        sha256=hashlib.sha256(data).hexdigest(),
        ignored=ignored_of(fields),
    )


def versions_of(members: dict[str, bytes]) -> dict[str, str]:
    """Returns the versions that the file says it was written with."""
    versions: dict[str, str] = {}
    for line in members.get("system_info.txt", b"")[:4096].splitlines():
        # Newer versions write the lines as a list: "- Python: 3.11".
        name, _, value = line.decode("utf-8", "replace").lstrip("- ").partition(":")
        if value.strip() and len(versions) < 16:
            versions[shown(name.strip())[1:-1]] = shown(value.strip())[1:-1]
    own = members.get("_stable_baselines3_version", b"")[:32].decode("ascii", "replace")
    if own.strip():
        versions["Stable-Baselines3"] = shown(own.strip())[1:-1]
    return versions
