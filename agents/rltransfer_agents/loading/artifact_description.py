"""What a file holds, described for people part by part."""

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from functools import partial
from pathlib import Path
from typing import Any, final

from rltransfer.errors import ArtifactRefused
from rltransfer.io import sha256_of
from rltransfer_agents.loading import limits, sb3_checkpoint
from rltransfer_agents.loading.agent_files import AgentFiles, StatisticsChoice, locate
from rltransfer_agents.loading.agent_loading import (
    exported_kind,
    notes_on,
    read_bounded,
    read_statistics_of,
    require_digest,
    require_zip,
)
from rltransfer_agents.loading.bundle import is_bundle, read_bundle
from rltransfer_agents.loading.environment_spec import (
    known_id,
    nearest_id,
    require_harmless,
)
from rltransfer_agents.loading.environment_wrappers import wrappers_of
from rltransfer_agents.loading.policy_builders import build_policy
from rltransfer_agents.loading.policy_data import Normalisations, PolicyData
from rltransfer_agents.loading.refusal import (
    Refusal,
    parse_object,
    printable,
    refusals_about,
    refuse_unforeseen,
)
from rltransfer_agents.loading.running_statistics import read_vecnormalize, require_fit
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
    """What is known about a file without running it; None where unknown."""

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
    """The nearest registered id, where the name is not registered; a suggestion."""
    environment_kwargs: dict[str, Any] = field(default_factory=dict)
    wrappers: tuple[str, ...] = ()
    """What its run put around the environment, the innermost first."""
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
    notes: tuple[str, ...] = ()
    """What a user should know about files that were left aside."""

    @property
    def usable(self) -> bool:
        """Whether the file can serve as an agent."""
        return not self.refused and self.algorithm is not None


_SPACES = ("observation_space", "action_space")
_NEEDED = {"policy_class", "keywords", "tensors", "normalisations", *_SPACES}


_EXPORTED = (
    Refused("kind", "exported", "it acts elsewhere; name the agent it was made from"),
)


@final
class _Parts:
    """The parts of an agent that could be read, and the refusals of the others."""

    def __init__(self) -> None:
        self.refused: list[Refused] = []
        self.read: dict[str, Any] = {}

    def add(self, part: str, read: Callable[[], Any], name: str | None = None) -> bool:
        """Reads a part, kept under its name or another; returns whether it was read."""
        try:
            with refuse_unforeseen():
                self.read[name or part.replace(" ", "_")] = read()
        except Refusal as refusal:
            self.refused.append(Refused(part, refusal.code, refusal.reason))
        except ArtifactRefused as fault:
            self.refused.append(Refused(part, "artifact", str(fault)))
        else:
            return True
        return False


def describe_artifact(
    path: Path | str,
    *,
    sha256: str | None = None,
    best: bool | None = None,
    statistics: StatisticsChoice = None,
) -> ArtifactDescription:
    """Returns what lies at `path`: an agent's file, a run folder or statistics.

    Args:
        path: of the file or folder.
        sha256: the hash that the file must have.
        best: which agent of a run, as for `load_agent`.
        statistics: of the agent, as for `load_agent`.

    Raises:
        InputError: if nothing readable is there.
        ArtifactRefused: if the file has another hash.
    """
    if Path(path).suffix == ".pkl" and Path(path).is_file():
        return _of_statistics(Path(path), sha256)
    files = locate(path, best=best, statistics=statistics)
    data = _bytes_of(files.agent, sha256, limits.ARCHIVE_BYTES)
    parts = _Parts()
    known: dict[str, Any] = {}
    exported = exported_kind(files.agent, data)
    if exported is not None:
        return ArtifactDescription(
            files.agent, exported, sha256_of(data), len(data), refused=_EXPORTED
        )
    if is_bundle(data):
        kind = "safe bundle"
        if parts.add("bundle", lambda: read_bundle(data)):
            parts.read |= vars(parts.read.pop("bundle"))
    else:
        kind = "Stable-Baselines3 checkpoint"
        require_zip(files.agent, data)
        known = _add_checkpoint(parts, files, data)
    return ArtifactDescription(
        path=files.agent,
        kind=kind,
        sha256=sha256_of(data),
        size=len(data),
        notes=notes_on(files),
        **known,
        **_environment(parts, files),
        **_agent(parts),
        refused=tuple(parts.refused),
    )


def _bytes_of(path: Path, sha256: str | None, most: int) -> bytes:
    data = read_bounded(path, most)
    with refusals_about(printable(path)):
        require_digest(sha256_of(data), sha256)
    return data


def _of_statistics(path: Path, sha256: str | None) -> ArtifactDescription:
    data = _bytes_of(path, sha256, limits.PICKLE_BYTES)
    parts = _Parts()
    parts.add("statistics", lambda: read_vecnormalize(data))
    return ArtifactDescription(
        path=path,
        kind="VecNormalize statistics",
        sha256=sha256_of(data),
        size=len(data),
        normalisation=_in_words(parts.read.get("statistics")),
        refused=tuple(parts.refused),
    )


def _add_checkpoint(parts: _Parts, files: AgentFiles, data: bytes) -> dict[str, Any]:
    """Reads a zip part by part, since one refusal should hide no other.

    Returns:
        What is known about the files themselves.
    """
    known: dict[str, Any] = {"statistics_path": files.statistics}
    if not parts.add("archive", lambda: sb3_checkpoint.checkpoint_members(data)):
        return known
    members = parts.read.pop("archive")
    listed = list_members(data, sb3_checkpoint.is_member)
    known["members"] = tuple((member.name, member.size) for member in listed)
    parts.read["versions"] = sb3_checkpoint.versions_of(members)
    parts.add("weights", lambda: read_tensors(members["policy.pth"]), "tensors")
    if parts.add("statistics", lambda: read_statistics_of(files)):
        normalisations, known["statistics_sha256"] = parts.read.pop("statistics")
        parts.read["normalisations"] = normalisations
    if not parts.add("data", lambda: parse_object(members["data"])):
        return known
    entries = parts.read.pop("data")
    known["ignored"] = sb3_checkpoint.ignored_of(entries)
    for name in _SPACES:
        space_of = partial(sb3_checkpoint.space_of_field, entries, name)
        parts.add(name.replace("_", " "), space_of)
    parts.add("policy class", lambda: sb3_checkpoint.policy_class_of(entries))
    parts.add("policy_kwargs", lambda: sb3_checkpoint.keywords_of(entries), "keywords")
    policy_class = parts.read.get("policy_class", "")
    parts.read["algorithm"] = sb3_checkpoint.algorithm_of(policy_class, entries)
    for name, entry in (("steps", "num_timesteps"), ("seed", "seed")):
        parts.read[name] = sb3_checkpoint.whole_number(entries, entry)
    if {"normalisations", "observation_space"} <= set(parts.read):
        space = parts.read["observation_space"]
        parts.add("statistics", lambda: require_fit(normalisations, space))
    return known


def _environment(parts: _Parts, files: AgentFiles) -> dict[str, Any]:
    """Returns what is known about the environment that the files name."""
    name = parts.read.get("env_id") or files.env_name
    kwargs = parts.read.get("env_kwargs", files.env_kwargs)
    parts.add("environment", lambda: require_harmless(kwargs))
    if "wrappers" not in parts.read:
        parts.add("wrappers", lambda: wrappers_of(files.settings))
    known = known_id(name)
    return {
        "environment_kwargs": dict(kwargs),
        "wrappers": tuple(map(str, parts.read.get("wrappers", ()))),
        "environment": printable(name),
        "environment_id": known,
        "nearest_id": None if known else nearest_id(name),
    }


def _agent(parts: _Parts) -> dict[str, Any]:
    """Returns what is known about an agent of which some parts could be read."""
    read = parts.read
    about: dict[str, Any] = {name: read.get(name) for name in ("steps", "seed")}
    for name in ("algorithm", "policy_class", *_SPACES):
        about[name] = printable(read[name]) if name in read else None
    about["normalisation"] = _in_words(read.get("normalisations"))
    about["versions"] = {
        printable(name): printable(version)
        for name, version in read.get("versions", {}).items()
    }
    needed = {part.name for part in fields(PolicyData)} & set(read)
    if (
        not {"policy_class", "keywords", "tensors", *_SPACES, "normalisations"}
        <= needed
    ):
        return about
    data = PolicyData(**{name: read[name] for name in needed})
    if not parts.add("network", lambda: build_policy(data)):
        return about
    policy = read["network"]
    hidden = [
        f"{layer.weight.shape[1]} {layer.activation.__name__}"
        for layer in policy.layers
    ]
    ends = type(policy.encoder).__name__, type(policy.head).__name__
    about["network"] = (ends[0], *hidden, ends[1])
    about["hidden_parameters"] = sum(
        layer.weight.size + layer.bias.size for layer in policy.layers
    )
    return about


def _in_words(normalisations: Normalisations | None) -> str | None:
    if not normalisations:
        return None
    parts = [
        f"{name or 'observations'} of shape {normalisation.mean.shape}, clipped at "
        f"{normalisation.clip:g}"
        for name, normalisation in normalisations.items()
    ]
    return "; ".join(parts)
