"""The files of an agent, read into plain data without running anything in them."""

from dataclasses import replace
from pathlib import Path

from rltransfer.errors import InputError
from rltransfer.io import read_manifest, sha256_of
from rltransfer.io.strict_json import NotPlain, TooLarge, bounded_bytes
from rltransfer_agents.loading import limits
from rltransfer_agents.loading.agent_files import AgentFiles
from rltransfer_agents.loading.bundle import is_bundle, read_bundle
from rltransfer_agents.loading.environment_wrappers import wrappers_of
from rltransfer_agents.loading.policy_data import Normalisations, PolicyData
from rltransfer_agents.loading.refusal import (
    Refusal,
    printable,
    refusals_about,
    refuse_unforeseen,
)
from rltransfer_agents.loading.running_statistics import (
    normalisations_of,
    read_statistics,
    read_vecnormalize,
    require_fit,
)
from rltransfer_agents.loading.sb3_checkpoint import read_checkpoint


def read_policy_data(files: AgentFiles, *, sha256: str | None = None) -> PolicyData:
    """Returns what the files of an agent hold, checked but not built into a policy.

    Raises:
        InputError: if they are no agent's.
        ArtifactRefused: if a file is damaged, unsafe, or does not fit the others.
    """
    data = read_bounded(files.agent)
    with refusals_about(printable(files.agent)), refuse_unforeseen():
        require_digest(sha256_of(data), sha256)
        _require_hash_of_run(files, files.agent, data)
        if is_bundle(data):
            if files.statistics_named and files.statistics is not None:
                raise InputError(
                    f"a bundle carries its own statistics, {printable(files.agent)} is "
                    "one; leave --statistics out"
                )
            agent = read_bundle(data)
            require_fit(agent.normalisations, agent.observation_space)
            return agent
        require_zip(files.agent, data)
        agent = read_checkpoint(data)
        normalisations, digest = read_statistics_of(files)
        wrappers = wrappers_of(files.settings)
        if normalisations and any(w.name == "VecFrameStack" for w in wrappers):
            raise Refusal(
                "wrapper",
                "an agent whose observations were normalised before its frames were "
                "stacked is not read yet",
            )
        require_fit(normalisations, agent.observation_space)
        return replace(
            agent,
            normalisations=normalisations,
            statistics_sha256=digest,
            env_id=files.env_name,
            env_kwargs=files.env_kwargs,
            wrappers=wrappers,
        )


def notes_on(files: AgentFiles) -> tuple[str, ...]:
    """Returns what was left aside beside an agent, one line for each."""
    if not files.unused:
        return ()
    names = [printable(path.name) for path in files.unused]
    listed = ", ".join(names[:3]) + (f" and {len(names) - 3} more" * (len(names) > 3))
    return (
        f"not used: {listed} beside the agent; if one holds its statistics, add "
        f"--statistics {names[0]}",
    )


def read_bounded(path: Path, most: int = limits.ARCHIVE_BYTES) -> bytes:
    """Returns the bytes of a file that a user named, up to the largest size read."""
    try:
        return bounded_bytes(path, most)
    except NotPlain as fault:
        raise InputError(
            f"an agent must be a plain file, {printable(path)} is not; name its "
            "zip or the folder of its run"
        ) from fault
    except TooLarge as fault:
        raise Refusal("limit", f"{printable(path)}: {fault}") from fault
    except OSError as fault:
        raise InputError(
            f"{printable(path)} cannot be read ({fault.strerror}); check its "
            "permissions"
        ) from fault


def read_statistics_of(files: AgentFiles) -> tuple[Normalisations, str | None]:
    """Returns how the agent's observations were normalised, and the file's SHA-256.

    Raises:
        Refusal: if they were, and the statistics are missing.
    """
    path = files.statistics
    if path is None:
        if files.was_normalised:
            raise Refusal(
                "normalisation",
                "its run normalised observations, but there are no statistics "
                "(vecnormalize.pkl) beside it"
                + "".join(f"; {note}" for note in notes_on(files)),
            )
        return {}, None
    data = read_bounded(path, limits.PICKLE_BYTES)
    _require_hash_of_run(files, path, data)
    with refusals_about(printable(path.name)):
        if path.suffix == ".json":
            normalisations = normalisations_of(read_statistics(path))
        else:
            normalisations = read_vecnormalize(data)
    return normalisations, sha256_of(data)


def exported_kind(path: Path, data: bytes) -> str | None:
    """Returns what an exported file is called, None for what may be an agent."""
    if path.suffix == ".onnx":
        return "policy exported as ONNX"
    # The name of a zip's first member stands after 30 bytes.
    if path.suffix == ".npz" and data[:2] == b"PK" and b".npy" in data[30:100]:
        return "policy exported for NumPy"
    return None


def require_zip(path: Path, data: bytes) -> None:
    """Raises if a file does not even begin as an agent's does."""
    exported = exported_kind(path, data)
    if exported is not None:
        raise InputError(
            f"{printable(path)} is a {exported}, which acts elsewhere; name the agent "
            "it was made from"
        )
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


def _require_hash_of_run(files: AgentFiles, path: Path, data: bytes) -> None:
    """Raises if a file of a run of ours is not the one its manifest names."""
    if files.run is None or not path.is_relative_to(files.run):
        return
    name = path.relative_to(files.run).as_posix()
    digest = read_manifest(files.run).files.get(name)
    if digest != sha256_of(data):
        raise Refusal(
            "manifest",
            f"{printable(name)} differs from the file that its run's manifest names",
        )
