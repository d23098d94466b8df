"""What a file holds, described for people part by part."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, final

from rltransfer.errors import ArtifactRefused
from rltransfer.io import sha256_of
from rltransfer_agents.loading import limits
from rltransfer_agents.loading.agent_files import AgentFiles, StatisticsChoice, locate
from rltransfer_agents.loading.agent_loading import (
    BUNDLE,
    CHECKPOINT,
    kind_of_file,
    read_parts,
    require_digest,
)
from rltransfer_agents.loading.environment_spec import (
    known_id,
    nearest_id,
    require_harmless,
)
from rltransfer_agents.loading.policy_builders import build_policy
from rltransfer_agents.loading.policy_data import Normalisations, PolicyData
from rltransfer_agents.loading.refusal import (
    Part,
    Refusal,
    printable,
    read_bounded,
    refusals_about,
    refuse_unforeseen,
)
from rltransfer_agents.loading.running_statistics import read_vecnormalize
from rltransfer_agents.policies import FrozenPolicy


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


_NEEDED = {"policy_class", "keywords", "tensors", "normalisations"}
_NEEDED |= {"observation_space", "action_space"}
_EXPORTED = (
    Refused("kind", "exported", "it acts elsewhere; name the agent it was made from"),
)


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
    refused: list[Refused] = []
    part = partial(_collecting, refused)
    known: dict[str, Any] = {}
    if Path(path).suffix == ".pkl" and Path(path).is_file():
        file, kind = Path(path), "VecNormalize statistics"
        data = _read(file, limits.PICKLE_BYTES, sha256)
        with part("statistics"):
            known["normalisation"] = _in_words(read_vecnormalize(data))
    else:
        files = locate(path, best=best, statistics=statistics)
        file, data = files.agent, _read(files.agent, limits.ARCHIVE_BYTES, sha256)
        kind = kind_of_file(file, data)
        if kind in (BUNDLE, CHECKPOINT):
            known = _agent(files, data, part)
        else:
            refused += _EXPORTED
    return ArtifactDescription(
        file, kind, sha256_of(data), len(data), refused=tuple(refused), **known
    )


def _read(path: Path, most: int, sha256: str | None) -> bytes:
    data = read_bounded(path, most)
    with refusals_about(printable(path)):
        require_digest(sha256_of(data), sha256)
    return data


@contextmanager
def _collecting(refused: list[Refused], part: str) -> Iterator[None]:
    """Notes the refusal of a part, since one should hide no other."""
    try:
        with refuse_unforeseen():
            yield
    except Refusal as refusal:
        refused.append(Refused(part, refusal.code, refusal.reason))
    except ArtifactRefused as fault:
        refused.append(Refused(part, "artifact", str(fault)))


def _agent(files: AgentFiles, data: bytes, part: Part) -> dict[str, Any]:
    """Returns what is known about an agent of which some parts could be read."""
    read = read_parts(files, data, part)
    known = {name: read[name] for name in _AS_READ & read.keys()}
    known |= {name: printable(read[name]) for name in _AS_TEXT & read.keys()}
    known["versions"] = {
        printable(name): printable(version)
        for name, version in read.get("versions", {}).items()
    }
    known["normalisation"] = _in_words(read.get("normalisations"))
    known["statistics_path"], known["notes"] = files.statistics, files.notes
    name = read.get("env_id") or files.env_name
    kwargs = read.get("env_kwargs", files.env_kwargs)
    with part("environment"):
        require_harmless(kwargs)
    known |= {
        "environment": printable(name),
        "environment_id": known_id(name),
        "nearest_id": None if known_id(name) else nearest_id(name),
        "environment_kwargs": dict(kwargs),
        "wrappers": tuple(map(str, read.get("wrappers", ()))),
    }
    if _NEEDED <= read.keys():
        with part("network"):
            known |= _network(build_policy(PolicyData(**read)))
    return known


_AS_READ = {"steps", "seed", "statistics_sha256", "members", "ignored"}
_AS_TEXT = {"algorithm", "policy_class", "observation_space", "action_space"}


def _network(policy: FrozenPolicy) -> dict[str, Any]:
    layers = policy.layers
    hidden = [f"{len(layer.bias)} {layer.activation.__name__}" for layer in layers]
    ends = type(policy.encoder).__name__, type(policy.head).__name__
    numbers = sum(layer.weight.size + layer.bias.size for layer in layers)
    return {"network": (ends[0], *hidden, ends[1]), "hidden_parameters": numbers}


def _in_words(normalisations: Normalisations | None) -> str | None:
    if not normalisations:
        return None
    parts = [
        f"{name or 'observations'} of shape {normalisation.mean.shape}, clipped at "
        f"{normalisation.clip:g}"
        for name, normalisation in normalisations.items()
    ]
    return "; ".join(parts)
