"""An agent from wherever it lies, opened without running anything that lies with it."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

from rltransfer.errors import InputError
from rltransfer.io import read_manifest
from rltransfer.io.strict_json import NotPlain, TooLarge, bounded_bytes
from rltransfer_agents.loading import limits
from rltransfer_agents.loading.bundle import Bundle, is_bundle, read_bundle
from rltransfer_agents.loading.environment_spec import require_harmless, require_known
from rltransfer_agents.loading.hub import fetch_agent, is_on_hub
from rltransfer_agents.loading.policy_families import freeze
from rltransfer_agents.loading.policy_weights import Normalisations
from rltransfer_agents.loading.refusal import (
    Refusal,
    printable,
    refusals_about,
    refuse_unforeseen,
)
from rltransfer_agents.loading.run_folder import FoundAgent, find_agent
from rltransfer_agents.loading.running_statistics import (
    normalisations_of,
    read_statistics,
    read_vecnormalize,
    require_fit,
)
from rltransfer_agents.loading.sb3_checkpoint import read_checkpoint
from rltransfer_agents.policies import FrozenPolicy


@final
@dataclass(frozen=True, eq=False)
class OpenedAgent:
    """An agent's contents, and where they were found."""

    bundle: Bundle
    found: FoundAgent
    statistics_sha256: str | None
    hub: dict[str, str] | None
    """Repository and commit, if it was fetched from the hub."""


def open_agent(
    path: Path | str, *, sha256: str | None = None, best: bool | None = None
) -> OpenedAgent:
    """Returns what the files of an agent hold; `load_agent` tells the arguments."""
    found, hub = locate(path, best=best)
    data = read_bounded(found.agent)
    with refusals_about(printable(found.agent)), refuse_unforeseen():
        require_digest(hashlib.sha256(data).hexdigest(), sha256)
        _require_vouched(found, found.agent, data)
        bundle, digest = _contents(found, data)
    return OpenedAgent(bundle, found, digest, hub)


def locate(
    path: Path | str, *, best: bool | None
) -> tuple[FoundAgent, dict[str, str] | None]:
    """Returns the files of an agent, fetched first if they are on the hub."""
    if not is_on_hub(path):
        return find_agent(Path(path), best=best), None
    fetched = fetch_agent(path)
    hub = {"repository": fetched.repository, "revision": fetched.revision}
    return find_agent(fetched.path, best=best), hub


def read_bounded(path: Path, most: int = limits.ARCHIVE_BYTES) -> bytes:
    """Returns the bytes of a file that a user named, up to the largest size read."""
    try:
        return bounded_bytes(path, most)
    except NotPlain as fault:
        raise InputError(
            f"an agent must lie in a plain file, {printable(path)} is none; name its "
            "zip or the folder of its run"
        ) from fault
    except TooLarge as fault:
        raise Refusal("limit", f"{printable(path)}: {fault}") from fault
    except OSError as fault:
        raise InputError(
            f"{printable(path)} cannot be read ({fault.strerror}); check its "
            "permissions"
        ) from fault


def _contents(found: FoundAgent, data: bytes) -> tuple[Bundle, str | None]:
    """Returns an agent and the hash of the statistics that lay beside it.

    Args:
        found: the agent's files.
        data: the bytes of the one that holds the agent.
    """
    if is_bundle(data):
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
    data = read_bounded(path, limits.PICKLE_BYTES)
    _require_vouched(found, path, data)
    if path.suffix == ".json":
        normalisations = normalisations_of(read_statistics(path))
    else:
        with refusals_about(printable(path.name)):
            normalisations = read_vecnormalize(data)
    return normalisations, hashlib.sha256(data).hexdigest()


def require_zip(path: Path, data: bytes) -> None:
    """Raises if a file does not even begin as an agent's does."""
    if not data.startswith(b"PK"):
        raise InputError(
            f"{printable(path)} must be a zip written by Stable-Baselines3, it is "
            "none; name the agent's zip or the folder of its run"
        )


def require_digest(digest: str, expected: str | None) -> None:
    """Raises unless a file has the hash that the user asked for."""
    if expected is not None and digest != expected.strip().lower():
        raise Refusal(
            "digest", f"must have the SHA-256 {printable(expected)}, it has {digest}"
        )


def _require_vouched(found: FoundAgent, path: Path, data: bytes) -> None:
    """Raises if a run of ours did not leave a file as it is; others' leave no word."""
    if found.run is None:
        return
    name = path.relative_to(found.run).as_posix()
    digest = read_manifest(found.run).files.get(name)
    if digest != hashlib.sha256(data).hexdigest():
        raise Refusal(
            "manifest", f"{printable(name)} is not what its run's manifest vouches for"
        )


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


def load_agent(
    path: Path | str,
    *,
    env_id: str | None = None,
    sha256: str | None = None,
    best: bool | None = None,
) -> Agent:
    """Returns the agent at `path`.

    Args:
        path: a run folder of ours or of RL Zoo, a zip of Stable-Baselines3, a bundle,
            or `hf://ORGANISATION/REPOSITORY[@REVISION]`.
        env_id: the environment it was trained in, where the files do not say it or
            name one that is not registered.
        sha256: the hash that the agent's file must have.
        best: the best agent of a run or the last one; None takes the best of our own
            runs and the last of others.

    Raises:
        InputError: if there is no agent, or its environment is not known.
        ArtifactRefused: if a file is damaged, unsafe, or does not fit the others.
    """
    opened = open_agent(path, sha256=sha256, best=best)
    bundle, file = opened.bundle, opened.found.agent
    with refusals_about(printable(file)), refuse_unforeseen():
        env_kwargs = require_harmless(bundle.env_kwargs)
        policy = freeze(bundle.stored_policy())
    checkpoint = bundle.checkpoint
    told = bundle.env_id or opened.found.env_name
    return Agent(
        policy=policy,
        algorithm=checkpoint.algorithm,
        env_id=env_id or require_known(told, str(file)),
        env_kwargs=env_kwargs,
        path=file,
        sha256=checkpoint.sha256,
        normalised=bool(bundle.normalisations),
        provenance={
            "policy_class": checkpoint.policy_class,
            "steps": checkpoint.steps,
            "seed": checkpoint.seed,
            "versions": checkpoint.versions,
            "sha256": checkpoint.sha256,
            "statistics_sha256": opened.statistics_sha256,
            "hub": opened.hub,
        },
    )
