"""What is inside a file, for people: also of files that will not be used."""

import hashlib
from pathlib import Path
from typing import Any

from rltransfer_agents.reading.archive import list_members
from rltransfer_agents.reading.attempts import Attempts
from rltransfer_agents.reading.bundle import read_bundle
from rltransfer_agents.reading.checkpoint import (
    checkpoint_members,
    is_member,
    versions_of,
)
from rltransfer_agents.reading.checkpoint import fields as data_fields
from rltransfer_agents.reading.container import is_container
from rltransfer_agents.reading.description import ArtifactDescription
from rltransfer_agents.reading.normalisation import read_vecnormalize, require_fit
from rltransfer_agents.reading.opening import (
    locate,
    read_bounded,
    read_statistics_beside,
    require_zip,
)
from rltransfer_agents.reading.policies import Normalisations, StoredPolicy, freeze
from rltransfer_agents.reading.run_folder import FoundAgent
from rltransfer_agents.reading.strict_json import parse_object
from rltransfer_agents.reading.torch_file import read_tensors


def describe_artifact(
    path: Path | str, *, best: bool | None = None
) -> ArtifactDescription:
    """Returns what lies at `path`: an agent's file, a run folder or statistics.

    Args:
        path: of the file or folder.
        best: which agent of a run, as for `read_agent`.

    Raises:
        InputError: if nothing readable is there.
    """
    if Path(path).suffix == ".pkl" and Path(path).is_file():
        return _of_statistics(Path(path))
    found, _ = locate(path, best=best)
    data = read_bounded(found.agent)
    attempts = Attempts()
    if is_container(data):
        facts = _of_bundle(data, attempts)
    else:
        require_zip(found.agent, data)
        facts = _of_checkpoint(found, data, attempts)
    return ArtifactDescription(
        path=found.agent,
        kind="safe bundle" if is_container(data) else "Stable-Baselines3 checkpoint",
        sha256=hashlib.sha256(data).hexdigest(),
        size=len(data),
        refused=tuple(attempts.refused),
        **facts,
    )


def _of_statistics(path: Path) -> ArtifactDescription:
    data = read_bounded(path)
    attempts = Attempts()
    normalisations = attempts.at("statistics", lambda: read_vecnormalize(data))
    return ArtifactDescription(
        path=path,
        kind="VecNormalize statistics",
        sha256=hashlib.sha256(data).hexdigest(),
        size=len(data),
        normalisation=_in_words(normalisations),
        refused=tuple(attempts.refused),
    )


def _of_bundle(data: bytes, attempts: Attempts) -> dict[str, Any]:
    bundle = attempts.at("bundle", lambda: read_bundle(data))
    if bundle is None:
        return {}
    checkpoint = bundle.checkpoint
    stored = bundle.stored_policy()
    return _network(stored, attempts) | {
        "algorithm": checkpoint.algorithm,
        "policy_class": checkpoint.policy_class,
        "environment": bundle.env_id,
        "observation_space": str(checkpoint.observation_space),
        "action_space": str(checkpoint.action_space),
        "normalisation": _in_words(bundle.normalisations),
        "versions": checkpoint.versions,
        "steps": checkpoint.steps,
        "seed": checkpoint.seed,
    }


def _of_checkpoint(
    found: FoundAgent, data: bytes, attempts: Attempts
) -> dict[str, Any]:
    """Returns what a zip says, each part by itself: one refusal hides no other."""
    members = attempts.at("archive", lambda: checkpoint_members(data))
    if members is None:
        return {"environment": found.env_name}
    listed = list_members(data, is_member)
    facts: dict[str, Any] = {
        "environment": found.env_name,
        "versions": versions_of(members),
        "members": tuple((member.name, member.size) for member in listed),
        "statistics_path": found.statistics,
    }
    fields = attempts.at("data", lambda: parse_object(members["data"]))
    if fields is None:
        return facts
    facts["ignored"] = data_fields.ignored_of(fields)
    for name, field_name in (("steps", "num_timesteps"), ("seed", "seed")):
        facts[name] = data_fields.whole_number(fields, field_name)
    policy_class = attempts.at(
        "policy class", lambda: data_fields.policy_class_of(fields)
    )
    observation = attempts.at(
        "observation space",
        lambda: data_fields.space_of_field(fields, "observation_space"),
    )
    action = attempts.at(
        "action space", lambda: data_fields.space_of_field(fields, "action_space")
    )
    keywords = attempts.at("policy_kwargs", lambda: data_fields.keywords_of(fields))
    tensors = attempts.at("weights", lambda: read_tensors(members["policy.pth"]))
    beside = attempts.at("statistics", lambda: read_statistics_beside(found))
    facts["algorithm"] = data_fields.algorithm_of(policy_class or "", fields)
    facts["policy_class"] = policy_class
    facts["observation_space"] = None if observation is None else str(observation)
    facts["action_space"] = None if action is None else str(action)
    if beside is not None:
        facts["normalisation"] = _in_words(beside[0])
        facts["statistics_sha256"] = beside[1]
    if (
        policy_class is None
        or observation is None
        or action is None
        or keywords is None
        or tensors is None
        or beside is None
    ):
        return facts
    attempts.at("statistics", lambda: require_fit(beside[0], observation))
    stored = StoredPolicy(
        policy_class,
        observation,
        action,
        keywords,
        tensors,
        normalisations=beside[0],
    )
    return facts | _network(stored, attempts)


def _network(stored: StoredPolicy, attempts: Attempts) -> dict[str, Any]:
    policy = attempts.at("network", lambda: freeze(stored))
    if policy is None:
        return {}
    hidden = [
        f"{layer.weight.shape[1]} {layer.activation.__name__}"
        for layer in policy.layers
    ]
    numbers = sum(layer.weight.size + layer.bias.size for layer in policy.layers)
    return {
        "network": (type(policy.encoder).__name__, *hidden, type(policy.head).__name__),
        "hidden_parameters": numbers,
    }


def _in_words(normalisations: Normalisations | None) -> str | None:
    if not normalisations:
        return None
    parts = [
        f"{name or 'observations'} of shape {normalisation.mean.shape}, clipped at "
        f"{normalisation.clip:g}"
        for name, normalisation in normalisations.items()
    ]
    return "; ".join(parts)
