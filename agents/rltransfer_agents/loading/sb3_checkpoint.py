"""A zip of Stable-Baselines3 as plain data: its members and the fields of `data`."""

import base64
import binascii
import re
from contextlib import nullcontext
from typing import Any

from rltransfer.io import sha256_of
from rltransfer_agents.loading.pickle_machine import parse_pickle
from rltransfer_agents.loading.pickle_tree import Reference, value_name
from rltransfer_agents.loading.policy_data import read_keywords
from rltransfer_agents.loading.refusal import (
    Part,
    Refusal,
    parse_object,
    quoted,
    refusals_about,
)
from rltransfer_agents.loading.spaces import read_space
from rltransfer_agents.loading.torch_reader import read_tensors
from rltransfer_agents.loading.zip_reader import list_members, read_members

ALGORITHMS = "ppo a2c dqn sac td3 ddpg qrdqn tqc trpo ars".split()
"""Those whose agents can be read."""

_READ = {"policy_class", "observation_space", "action_space", "policy_kwargs"}
_READ |= {"num_timesteps", "exploration_rate", "seed"}
_MEMBER = re.compile(
    r"data|_stable_baselines3_version|system_info\.txt|"
    r"[a-z_]+(?:\.optimizer)?\.pth"
)
_NEEDED = ("data", "policy.pth")
_WANTED = {*_NEEDED, "_stable_baselines3_version", "system_info.txt"}


def read_checkpoint(data: bytes, part: Part = nullcontext) -> dict[str, Any]:
    """Returns what a zip of Stable-Baselines3 holds, as the fields of `PolicyData`.

    Args:
        data: of the zip.
        part: what each part is read in; where it swallows a refusal, the part is
            missing.

    Raises:
        Refusal: if it is damaged, unsafe, or no agent with a stock policy.
    """
    read: dict[str, Any] = {"sha256": sha256_of(data)}
    contents: dict[str, bytes] = {}
    fields: dict[str, Any] | None = None
    with part("archive"):
        members = list_members(data, lambda name: bool(_MEMBER.fullmatch(name)))
        contents = read_members(data, members, _WANTED.__contains__)
        for name in _NEEDED:
            if name not in contents:
                raise Refusal(
                    "archive", f"an agent's zip must hold {name}, this one lacks it"
                )
        read["members"] = tuple((member.name, member.size) for member in members)
        read["versions"] = _versions(contents)
    if "versions" not in read:
        return read
    with part("weights"), refusals_about("policy.pth"):
        read["tensors"] = read_tensors(contents["policy.pth"])
    with part("data"), refusals_about("data"):
        fields = parse_object(contents["data"])
    if fields is None:
        return read
    read["ignored"] = _ignored(fields)
    for name in ("observation_space", "action_space"):
        with part(name.replace("_", " ")), refusals_about(name):
            read[name] = read_space(_pickled(fields.get(name)))
    with part("policy class"), refusals_about("policy_class"):
        read["policy_class"] = _policy_class(_pickled(fields.get("policy_class")))
    with part("policy_kwargs"), refusals_about("policy_kwargs"):
        entry = fields.get("policy_kwargs", {})
        is_pickled = isinstance(entry, dict) and ":serialized:" in entry
        read["keywords"] = read_keywords(_pickled(entry) if is_pickled else entry)
    with part("exploration_rate"):
        share = fields.get("exploration_rate", 0.0)
        if type(share) not in (int, float) or not 0 <= share <= 1:
            raise Refusal("json", "exploration_rate must lie in 0..1")
        read["exploration"] = float(share)
    read["algorithm"] = _algorithm(read.get("policy_class", ""), fields)
    for name, field in (("steps", "num_timesteps"), ("seed", "seed")):
        value = fields.get(field)
        read[name] = value if type(value) is int and abs(value) < 1 << 63 else None
    return read


def _pickled(entry: Any) -> Any:
    text = entry.get(":serialized:") if isinstance(entry, dict) else None
    if not isinstance(text, str):
        raise Refusal("json", "it is missing")
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as fault:
        raise Refusal("json", "a pickled field must be base64") from fault
    return parse_pickle(data)


def _policy_class(tree: Any) -> str:
    """Returns module and name of the policy's class, which is not imported."""
    if isinstance(tree, Reference):
        return tree.path
    name = value_name(tree)
    if name is None:
        raise Refusal("class", "must be the name of a class")
    raise Refusal(
        "class-by-value",
        f"the policy is of the author's own class {quoted(name)}, which exists as code "
        "only",
    )


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


def _ignored(fields: dict[str, Any]) -> tuple[str, ...]:
    names = []
    for name, value in fields.items():
        if name not in _READ:
            pickled = isinstance(value, dict) and ":serialized:" in value
            names.append(quoted(name)[1:-1] + (" (pickle)" if pickled else ""))
    return tuple(names)


def _versions(members: dict[str, bytes]) -> dict[str, str]:
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
