"""The fields of a checkpoint's `data`, one by one."""

import base64
import binascii
from typing import Any

from gymnasium import spaces

from rltransfer_agents.reading.inert_pickle import Reference, parse_pickle, value_name
from rltransfer_agents.reading.keywords import Keywords, read_keywords
from rltransfer_agents.reading.refusal import Refusal, naming, shown
from rltransfer_agents.reading.spaces import read_space

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
        f"the policy is of the author's own class {shown(name)}, which exists as code "
        "only",
    )


def space_of_field(fields: Fields, name: str) -> spaces.Space[Any]:
    """Returns one of the two spaces."""
    tree = _pickled(fields, name)
    with naming(name):
        return read_space(tree)


def keywords_of(fields: Fields) -> Keywords:
    """Returns what the policy's class was told."""
    entry = fields.get("policy_kwargs", {})
    with naming("policy_kwargs"):
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
            names.append(shown(name)[1:-1] + (" (pickle)" if pickled else ""))
    return tuple(names)


def _pickled(fields: Fields, name: str) -> Any:
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
