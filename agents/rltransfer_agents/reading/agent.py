"""An agent from wherever it lies, without running anything that lies with it."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

from rltransfer.errors import InputError
from rltransfer.runs import changed_files, read_manifest
from rltransfer_agents.frozen import FrozenPolicy
from rltransfer_agents.reading import limits
from rltransfer_agents.reading.bundle import Bundle, read_bundle
from rltransfer_agents.reading.checkpoint import read_checkpoint
from rltransfer_agents.reading.container import is_container
from rltransfer_agents.reading.environment_ids import require_known
from rltransfer_agents.reading.normalisation import (
    normalisations_of,
    read_vecnormalize,
    require_fit,
)
from rltransfer_agents.reading.policies import Normalisations, freeze
from rltransfer_agents.reading.refusal import Refusal, naming, typed_faults
from rltransfer_agents.reading.run_folder import FoundAgent, find_agent
from rltransfer_agents.running_statistics import read_statistics


@final
@dataclass(frozen=True, eq=False)
class Agent:
    """A policy and where it came from."""

    policy: FrozenPolicy
    algorithm: str
    env_id: str | None
    """The environment it was trained in."""
    env_kwargs: dict[str, Any]
    path: Path
    """The file that was read, also where a folder was given."""
    sha256: str
    normalised: bool
    """Observations are normalised, inside the policy."""
    provenance: dict[str, Any]
    """What the files say about versions, steps, seed and so on, for manifests."""


def read_agent(
    path: Path | str,
    *,
    env_id: str | None = None,
    sha256: str | None = None,
    best: bool | None = None,
) -> Agent:
    """Returns the agent at `path`.

    Args:
        path: a run folder of ours or of RL Zoo, or a zip of Stable-Baselines3.
        env_id: the environment it was trained in, where the files do not say it or
            name one that is not registered.
        sha256: the hash that the agent's file must have.
        best: the best agent of a run or the last one; None takes the best of our own
            runs and the last of others.

    Raises:
        InputError: if there is no agent, or its environment is not known.
        ArtifactRefused: if a file is damaged, unsafe, or does not fit the others.
    """
    found = find_agent(Path(path), best=best)
    bundle, statistics_sha256 = _opened(found, sha256)
    with naming(str(found.agent)), typed_faults():
        policy = freeze(bundle.stored_policy())
    checkpoint = bundle.checkpoint
    return Agent(
        policy=policy,
        algorithm=checkpoint.algorithm,
        env_id=env_id
        or require_known(bundle.env_id or found.env_name, str(found.agent)),
        env_kwargs=bundle.env_kwargs,
        path=found.agent,
        sha256=checkpoint.sha256,
        normalised=bool(bundle.normalisations),
        provenance={
            "policy_class": checkpoint.policy_class,
            "steps": checkpoint.steps,
            "seed": checkpoint.seed,
            "versions": checkpoint.versions,
            "sha256": checkpoint.sha256,
            "statistics_sha256": statistics_sha256,
        },
    )


def bundle_at(
    path: Path | str, *, sha256: str | None = None, best: bool | None = None
) -> Bundle:
    """Returns all that the files of an agent hold, whatever its environment."""
    return _opened(find_agent(Path(path), best=best), sha256)[0]


def read_bounded(path: Path) -> bytes:
    """Returns the bytes of a file that a user named, up to the largest size read."""
    try:
        with path.open("rb") as file:
            data = file.read(limits.ARCHIVE_BYTES + 1)
    except OSError as fault:
        raise InputError(
            f"{path} cannot be read ({fault.strerror}); check its permissions"
        ) from fault
    if len(data) > limits.ARCHIVE_BYTES:
        raise Refusal("limit", f"{path}: may have {limits.ARCHIVE_BYTES} bytes")
    return data


def read_all(found: FoundAgent, data: bytes) -> tuple[Bundle, str | None]:
    """Returns an agent and the hash of the statistics that lay beside it.

    Args:
        found: the agent's files.
        data: the bytes of the one that holds the agent.
    """
    if is_container(data):
        return read_bundle(data), None
    require_zip(found.agent, data)
    checkpoint = read_checkpoint(data)
    normalisations, digest = read_statistics_beside(found)
    require_fit(normalisations, checkpoint.observation_space)
    return Bundle(checkpoint, normalisations, found.env_name, found.env_kwargs), digest


def read_statistics_beside(found: FoundAgent) -> tuple[Normalisations, str | None]:
    """Returns how the agent's observations were normalised.

    Raises:
        Refusal: if they were, and the statistics are missing.
    """
    path = found.statistics
    if path is None:
        if found.was_normalised:
            raise Refusal(
                "normalisation",
                "its run normalised observations, but there are no statistics "
                "(vecnormalize.pkl) beside it",
            )
        return {}, None
    data = read_bounded(path)
    if path.suffix == ".json":
        normalisations = normalisations_of(read_statistics(path))
    else:
        with naming(path.name):
            normalisations = read_vecnormalize(data)
    return normalisations, hashlib.sha256(data).hexdigest()


def require_zip(path: Path, data: bytes) -> None:
    """Raises if a file does not even begin as an agent's does."""
    if not data.startswith(b"PK"):
        raise InputError(
            f"{path} must be a zip written by Stable-Baselines3, it is none; "
            "name the agent's zip or the folder of its run"
        )


def require_digest(digest: str, expected: str | None) -> None:
    """Raises unless a file has the hash that the user asked for."""
    if expected is not None and digest != expected.strip().lower():
        raise Refusal("digest", f"must have the SHA-256 {expected}, it has {digest}")


def _opened(found: FoundAgent, sha256: str | None) -> tuple[Bundle, str | None]:
    data = read_bounded(found.agent)
    with naming(str(found.agent)), typed_faults():
        require_digest(hashlib.sha256(data).hexdigest(), sha256)
        _require_unchanged(found)
        return read_all(found, data)


def _require_unchanged(found: FoundAgent) -> None:
    if found.run is None:
        return
    changed = changed_files(found.run, read_manifest(found.run))
    used = [
        path.relative_to(found.run).as_posix()
        for path in (found.agent, found.statistics)
        if path is not None
    ]
    for name in used:
        if name in changed:
            raise Refusal(
                "manifest", f"{name} is not what its run's manifest vouches for"
            )
