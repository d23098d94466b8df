"""A zip of Stable-Baselines3 as plain data: its members and the fields of `data`."""

import base64
import binascii
import re
from typing import Any

from gymnasium import spaces

from rltransfer.io import sha256_of
from rltransfer_agents.loading.pickle_machine import parse_pickle
from rltransfer_agents.loading.pickle_tree import Reference, value_name
from rltransfer_agents.loading.policy_data import Keywords, PolicyData, read_keywords
from rltransfer_agents.loading.refusal import (
    Refusal,
    parse_object,
    quoted,
    refusals_about,
)
from rltransfer_agents.loading.spaces import read_space
from rltransfer_agents.loading.torch_reader import read_tensors
from rltransfer_agents.loading.zip_reader import read_members

ALGORITHMS = "ppo a2c dqn sac td3 ddpg qrdqn tqc trpo ars".split()
"""Those whose agents can be read."""

_READ = {"policy_class", "observation_space", "action_space", "policy_kwargs"}
_READ |= {"num_timesteps", "exploration_rate", "seed"}
Fields = dict[str, Any]


def policy_class_of(fields: Fields) -> str:
    """Returns module and name of the policy's class, which is not imported."""
    tree = _pickled(fields, "policy_class")
    if isinstance(tree, Reference):
        return tree.path
    name = value_name(tree)
    if name is None:
        raise Refusal("class", "policy_class must be the name of a class")
    raise Refusal(
        "class-by-value",
        f"the policy is of the author's own class {quoted(name)}, which exists as code "
        "only",
    )


def space_of_field(fields: Fields, name: str) -> spaces.Space[Any]:
    """Returns one of the two spaces."""
    tree = _pickled(fields, name)
    with refusals_about(name):
        return read_space(tree)


def keywords_of(fields: Fields) -> Keywords:
    """Returns the keyword arguments of the policy's class."""
    entry = fields.get("policy_kwargs", {})
    with refusals_about("policy_kwargs"):
        if isinstance(entry, dict) and ":serialized:" in entry:
            return read_keywords(_pickled({"it": entry}, "it"))
        return read_keywords(entry)


def exploration_of(fields: Fields) -> float:
    """Returns the share of random actions, which only DQN and its kind have."""
    share = fields.get("exploration_rate", 0.0)
    if type(share) not in (int, float) or not 0 <= share <= 1:
        raise Refusal("json", "exploration_rate must lie in 0..1")
    return float(share)


def algorithm_of(policy_class: str, fields: Fields) -> str:
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


def whole_number(fields: Fields, name: str) -> int | None:
    """Returns a field that is only shown; None where it is anything else."""
    value = fields.get(name)
    return value if type(value) is int and abs(value) < 1 << 63 else None


def ignored_of(fields: Fields) -> tuple[str, ...]:
    """Returns the names of fields that are not read, the pickled ones marked."""
    names = []
    for name, value in fields.items():
        if name not in _READ:
            pickled = isinstance(value, dict) and ":serialized:" in value
            names.append(quoted(name)[1:-1] + (" (pickle)" if pickled else ""))
    return tuple(names)


def _pickled(fields: Fields, name: str) -> Any:
    entry = fields.get(name)
    text = entry.get(":serialized:") if isinstance(entry, dict) else None
    if not isinstance(text, str):
        raise Refusal("json", f"{name} is missing")
    with refusals_about(name):
        try:
            data = base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError) as fault:
            raise Refusal("json", "a pickled field must be base64") from fault
        return parse_pickle(data)


_MEMBER = re.compile(
    r"data|_stable_baselines3_version|system_info\.txt|"
    r"[a-z_]+(?:\.optimizer)?\.pth"
)
_NEEDED = ("data", "policy.pth")
_WANTED = {*_NEEDED, "_stable_baselines3_version", "system_info.txt"}


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


def read_checkpoint(data: bytes) -> PolicyData:
    """Returns the contents of a zip written by Stable-Baselines3.

    Raises:
        Refusal: if it is damaged, unsafe, or no agent with a stock policy.
    """
    members = checkpoint_members(data)
    with refusals_about("data"):
        fields = parse_object(members["data"])
        policy_class = policy_class_of(fields)
        observation_space = space_of_field(fields, "observation_space")
        action_space = space_of_field(fields, "action_space")
        keywords = keywords_of(fields)
        exploration = exploration_of(fields)
    with refusals_about("policy.pth"):
        tensors = read_tensors(members["policy.pth"])
    return PolicyData(
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
        sha256=sha256_of(data),
    )


def versions_of(members: dict[str, bytes]) -> dict[str, str]:
    """Returns the versions that the file says it was written with."""
    versions: dict[str, str] = {}
    for line in members.get("system_info.txt", b"")[:4096].splitlines():
        # Newer versions write the lines as a list: "- Python: 3.11".
        name, _, value = line.decode("utf-8", "replace").lstrip("- ").partition(":")
        if value.strip() and len(versions) < 16:
            versions[quoted(name.strip())[1:-1]] = quoted(value.strip())[1:-1]
    own = members.get("_stable_baselines3_version", b"")[:32].decode("ascii", "replace")
    if own.strip():
        versions["Stable-Baselines3"] = quoted(own.strip())[1:-1]
    return versions
