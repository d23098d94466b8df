"""Stable-Baselines3's zip, taken apart."""

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass
from typing import Any, final

from gymnasium import spaces
from numpy.typing import NDArray

from rltransfer_agents.reading.archive import read_members
from rltransfer_agents.reading.inert_pickle import Reference, parse_pickle, value_name
from rltransfer_agents.reading.keywords import Keywords, read_keywords
from rltransfer_agents.reading.refusal import Refusal, naming, shown
from rltransfer_agents.reading.spaces import read_space
from rltransfer_agents.reading.strict_json import parse_object
from rltransfer_agents.reading.torch_file import read_tensors

_MEMBER = re.compile(
    r"data|_stable_baselines3_version|system_info\.txt|"
    r"[a-z_]+(?:\.optimizer)?\.pth"
)
_NEEDED = ("data", "policy.pth")
_WANTED = {*_NEEDED, "_stable_baselines3_version", "system_info.txt"}
_READ_FIELDS = {"policy_class", "observation_space", "action_space", "policy_kwargs"}
_READ_FIELDS |= {"num_timesteps", "exploration_rate", "seed"}


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


def read_checkpoint(data: bytes) -> Checkpoint:
    """Returns the contents of a zip written by Stable-Baselines3.

    Raises:
        Refusal: if it is damaged, unsafe, or no agent with a stock policy.
    """
    members = read_members(
        data,
        allowed=lambda name: _MEMBER.fullmatch(name) is not None,
        wanted=_WANTED.__contains__,
    )
    for name in _NEEDED:
        if name not in members:
            raise Refusal(
                "archive", f"an agent's zip must hold {name}, this one lacks it"
            )
    with naming("data"):
        fields = parse_object(members["data"])
        policy_class = _policy_class(fields)
        observation_space = _space(fields, "observation_space")
        action_space = _space(fields, "action_space")
        with naming("policy_kwargs"):
            keywords = _keywords(fields.get("policy_kwargs", {}))
        exploration = _share(fields.get("exploration_rate", 0.0))
    with naming("policy.pth"):
        tensors = read_tensors(members["policy.pth"])
    return Checkpoint(
        algorithm=_algorithm(policy_class, fields),
        policy_class=policy_class,
        observation_space=observation_space,
        action_space=action_space,
        keywords=keywords,
        tensors=tensors,
        exploration=exploration,
        steps=_whole(fields.get("num_timesteps")),
        seed=_whole(fields.get("seed")),
        versions=_versions(members),
        sha256=hashlib.sha256(data).hexdigest(),
        ignored=_ignored(fields),
    )


def _pickled(fields: dict[str, Any], name: str) -> Any:
    entry = fields.get(name)
    text = entry.get(":serialized:") if isinstance(entry, dict) else None
    if not isinstance(text, str):
        raise Refusal("json", f"{name} is missing")
    with naming(name):
        try:
            data = base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError) as fault:
            raise Refusal("json", "a pickled field must be base64") from fault
        return parse_pickle(data)


def _policy_class(fields: dict[str, Any]) -> str:
    tree = _pickled(fields, "policy_class")
    if isinstance(tree, Reference):
        return tree.path
    name = value_name(tree)
    if name is None:
        raise Refusal("class", "policy_class must be the name of a class")
    raise Refusal(
        "class-by-value",
        f"the policy is of the author's own class {shown(name)}, which exists as code "
        "only",
    )


def _space(fields: dict[str, Any], name: str) -> spaces.Space[Any]:
    tree = _pickled(fields, name)
    with naming(name):
        return read_space(tree)


def _keywords(entry: Any) -> Keywords:
    if isinstance(entry, dict) and ":serialized:" in entry:
        return read_keywords(_pickled({"it": entry}, "it"))
    return read_keywords(entry)


def _algorithm(policy_class: str, fields: dict[str, Any]) -> str:
    """Returns the algorithm; no field says it, but each has settings of its own."""
    module = policy_class.split(".")[1] if "." in policy_class else ""
    if module == "td3":
        critics = fields.get("policy_kwargs")
        critics = critics.get("n_critics") if isinstance(critics, dict) else None
        return "ddpg" if critics == 1 else "td3"
    if module != "common":
        return module
    if "cg_max_steps" in fields:
        return "trpo"
    return "ppo" if "n_epochs" in fields else "a2c"


def _share(value: Any) -> float:
    if type(value) not in (int, float) or not 0 <= value <= 1:
        raise Refusal("json", "exploration_rate must lie in 0..1")
    return float(value)


def _whole(value: Any) -> int | None:
    return value if type(value) is int and abs(value) < 1 << 63 else None


def _versions(members: dict[str, bytes]) -> dict[str, str]:
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


def _ignored(fields: dict[str, Any]) -> tuple[str, ...]:
    names = []
    for name, value in fields.items():
        if name not in _READ_FIELDS:
            pickled = isinstance(value, dict) and ":serialized:" in value
            names.append(shown(name)[1:-1] + (" (pickle)" if pickled else ""))
    return tuple(names)
