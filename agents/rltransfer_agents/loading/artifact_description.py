"""What can be said about a file, for people."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar, final

from rltransfer.errors import ArtifactRefused
from rltransfer_agents.loading import limits
from rltransfer_agents.loading import sb3_checkpoint as data_fields
from rltransfer_agents.loading.bundle import is_bundle, read_bundle
from rltransfer_agents.loading.environment_spec import (
    known_id,
    nearest_id,
    require_harmless,
)
from rltransfer_agents.loading.load_agent import (
    locate,
    read_bounded,
    read_statistics_beside,
    require_digest,
    require_zip,
)
from rltransfer_agents.loading.policy_families import freeze
from rltransfer_agents.loading.policy_weights import Normalisations, StoredPolicy
from rltransfer_agents.loading.refusal import (
    Refusal,
    parse_object,
    printable,
    refusals_about,
    refuse_unforeseen,
)
from rltransfer_agents.loading.run_folder import FoundAgent
from rltransfer_agents.loading.running_statistics import read_vecnormalize, require_fit
from rltransfer_agents.loading.sb3_checkpoint import (
    checkpoint_members,
    is_member,
    versions_of,
)
from rltransfer_agents.loading.torch_reader import read_tensors
from rltransfer_agents.loading.zip_reader import list_members


@final
@dataclass(frozen=True)
class Refused:
    """A part that cannot be used, and why."""

    part: str
    code: str
    reason: str


@final
@dataclass(frozen=True)
class ArtifactDescription:
    """All that can be said about a file without running it; None where unknown."""

    path: Path
    kind: str
    """Such as "Stable-Baselines3 checkpoint"."""
    sha256: str
    size: int
    """In bytes."""
    algorithm: str | None = None
    policy_class: str | None = None
    environment: str | None = None
    """As the files call it."""
    environment_id: str | None = None
    """The registered id that this means."""
    nearest_id: str | None = None
    """The registered id most like it, where it means none; a suggestion."""
    observation_space: str | None = None
    action_space: str | None = None
    network: tuple[str, ...] = ()
    """Its layers, from observation to action."""
    hidden_parameters: int | None = None
    """Numbers in its hidden layers."""
    normalisation: str | None = None
    statistics_path: Path | None = None
    statistics_sha256: str | None = None
    versions: dict[str, str] = field(default_factory=dict)
    steps: int | None = None
    seed: int | None = None
    members: tuple[tuple[str, int], ...] = ()
    """Names and sizes of the files inside."""
    ignored: tuple[str, ...] = ()
    """Fields that are not read; pickled ones are marked."""
    refused: tuple[Refused, ...] = ()

    @property
    def usable(self) -> bool:
        """Whether the file can serve as an agent."""
        return not self.refused and self.algorithm is not None


Value = TypeVar("Value")


@final
class Attempts:
    """Notes what is refused and goes on."""

    def __init__(self) -> None:
        self.refused: list[Refused] = []

    def at(self, part: str, read: Callable[[], Value]) -> Value | None:
        """Returns what `read` gives, or None if it refuses."""
        try:
            with refuse_unforeseen():
                return read()
        except Refusal as refusal:
            self.refused.append(Refused(part, refusal.code, refusal.reason))
        except ArtifactRefused as fault:
            self.refused.append(Refused(part, "artifact", str(fault)))
        return None


def describe_artifact(
    path: Path | str, *, sha256: str | None = None, best: bool | None = None
) -> ArtifactDescription:
    """Returns what lies at `path`: an agent's file, a run folder or statistics.

    Args:
        path: of the file or folder.
        sha256: the hash that the file must have.
        best: which agent of a run, as for `load_agent`.

    Raises:
        InputError: if nothing readable is there.
        ArtifactRefused: if the file has another hash.
    """
    if Path(path).suffix == ".pkl" and Path(path).is_file():
        return _of_statistics(Path(path), sha256)
    found, _ = locate(path, best=best)
    data = _bytes_of(found.agent, sha256, limits.ARCHIVE_BYTES)
    attempts = Attempts()
    if is_bundle(data):
        facts = _of_bundle(found, data, attempts)
    else:
        require_zip(found.agent, data)
        facts = _of_checkpoint(found, data, attempts)
    return ArtifactDescription(
        path=found.agent,
        kind="safe bundle" if is_bundle(data) else "Stable-Baselines3 checkpoint",
        sha256=hashlib.sha256(data).hexdigest(),
        size=len(data),
        refused=tuple(attempts.refused),
        **facts,
    )


def _bytes_of(path: Path, sha256: str | None, most: int) -> bytes:
    data = read_bounded(path, most)
    with refusals_about(printable(path)):
        require_digest(hashlib.sha256(data).hexdigest(), sha256)
    return data


def _environment(
    name: str, kwargs: dict[str, Any], attempts: Attempts
) -> dict[str, Any]:
    """Returns what is known about the environment that the files name."""
    attempts.at("environment", lambda: require_harmless(kwargs))
    known = known_id(name)
    return {
        "environment": printable(name),
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
            "policy_class": printable(checkpoint.policy_class),
            "observation_space": str(checkpoint.observation_space),
            "action_space": str(checkpoint.action_space),
            "normalisation": _in_words(bundle.normalisations),
            "versions": {
                printable(name): printable(version)
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
    facts["algorithm"] = printable(data_fields.algorithm_of(policy_class or "", fields))
    facts["policy_class"] = None if policy_class is None else printable(policy_class)
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
