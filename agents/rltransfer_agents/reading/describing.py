"""What is inside a file, for people: also of files that will not be used."""

import hashlib
from pathlib import Path
from typing import Any

from rltransfer_agents.reading import limits
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
from rltransfer_agents.reading.environment_arguments import require_harmless
from rltransfer_agents.reading.environment_ids import known_id, nearest_id
from rltransfer_agents.reading.normalisation import read_vecnormalize, require_fit
from rltransfer_agents.reading.opening import (
    locate,
    read_bounded,
    read_statistics_beside,
    require_digest,
    require_zip,
)
from rltransfer_agents.reading.policies import Normalisations, StoredPolicy, freeze
from rltransfer_agents.reading.refusal import naming, spelt
from rltransfer_agents.reading.run_folder import FoundAgent
from rltransfer_agents.reading.strict_json import parse_object
from rltransfer_agents.reading.torch_file import read_tensors


def describe_artifact(
    path: Path | str, *, sha256: str | None = None, best: bool | None = None
) -> ArtifactDescription:
    """Returns what lies at `path`: an agent's file, a run folder or statistics.

    Args:
        path: of the file or folder.
        sha256: the hash that the file must have.
        best: which agent of a run, as for `read_agent`.

    Raises:
        InputError: if nothing readable is there.
        ArtifactRefused: if the file has another hash.
    """
    if Path(path).suffix == ".pkl" and Path(path).is_file():
        return _of_statistics(Path(path), sha256)
    found, _ = locate(path, best=best)
    data = _bytes_of(found.agent, sha256, limits.ARCHIVE_BYTES)
    attempts = Attempts()
    if is_container(data):
        facts = _of_bundle(found, data, attempts)
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


def _bytes_of(path: Path, sha256: str | None, most: int) -> bytes:
    data = read_bounded(path, most)
    with naming(spelt(path)):
        require_digest(hashlib.sha256(data).hexdigest(), sha256)
    return data


def _environment(
    name: str, kwargs: dict[str, Any], attempts: Attempts
) -> dict[str, Any]:
    """Returns what is known about the environment that the files name."""
    attempts.at("environment", lambda: require_harmless(kwargs))
    known = known_id(name)
    return {
        "environment": spelt(name),
        "environment_id": known,
        "nearest_id": None if known else nearest_id(name),
    }


def _of_statistics(path: Path, sha256: str | None) -> ArtifactDescription:
    data = _bytes_of(path, sha256, limits.PICKLE_BYTES)
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


def _of_bundle(found: FoundAgent, data: bytes, attempts: Attempts) -> dict[str, Any]:
    bundle = attempts.at("bundle", lambda: read_bundle(data))
    if bundle is None:
        return {}
    checkpoint = bundle.checkpoint
    name = bundle.env_id or found.env_name
    facts = _environment(name, bundle.env_kwargs, attempts)
    return (
        facts
        | _network(bundle.stored_policy(), attempts)
        | {
            "algorithm": checkpoint.algorithm,
            "policy_class": spelt(checkpoint.policy_class),
            "observation_space": str(checkpoint.observation_space),
            "action_space": str(checkpoint.action_space),
            "normalisation": _in_words(bundle.normalisations),
            "versions": {
                spelt(name): spelt(version)
                for name, version in checkpoint.versions.items()
            },
            "steps": checkpoint.steps,
            "seed": checkpoint.seed,
        }
    )


def _of_checkpoint(
    found: FoundAgent, data: bytes, attempts: Attempts
) -> dict[str, Any]:
    """Returns what a zip says, each part by itself: one refusal hides no other."""
    facts = _environment(found.env_name, found.env_kwargs, attempts)
    members = attempts.at("archive", lambda: checkpoint_members(data))
    if members is None:
        return facts
    listed = list_members(data, is_member)
    facts |= {
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
    facts["algorithm"] = spelt(data_fields.algorithm_of(policy_class or "", fields))
    facts["policy_class"] = None if policy_class is None else spelt(policy_class)
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
