"""The files of an agent, read into plain data without running anything in them."""

from contextlib import nullcontext
from pathlib import Path
from typing import Any

from rltransfer.errors import InputError
from rltransfer.io import read_manifest, sha256_of
from rltransfer_agents.loading import limits
from rltransfer_agents.loading.agent_files import AgentFiles
from rltransfer_agents.loading.bundle import is_bundle, read_bundle
from rltransfer_agents.loading.environment_wrappers import wrappers_of
from rltransfer_agents.loading.policy_data import Normalisations, PolicyData
from rltransfer_agents.loading.refusal import (
    Part,
    Refusal,
    printable,
    read_bounded,
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

BUNDLE, CHECKPOINT = "safe bundle", "Stable-Baselines3 checkpoint"


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
        kind = kind_of_file(files.agent, data)
        if kind not in (BUNDLE, CHECKPOINT):
            raise InputError(
                f"{printable(files.agent)} is a {kind}, which acts elsewhere; name the "
                "agent it was made from"
            )
        if kind == BUNDLE and files.statistics_named and files.statistics is not None:
            raise InputError(
                f"a bundle carries its own statistics, {printable(files.agent)} is "
                "one; leave --statistics out"
            )
        return PolicyData(**read_parts(files, data))


def kind_of_file(path: Path, data: bytes) -> str:
    """Returns `BUNDLE`, `CHECKPOINT`, or what an exported policy is called.

    Raises:
        InputError: if a file does not even begin as one of them does.
    """
    if is_bundle(data):
        return BUNDLE
    if path.suffix == ".onnx":
        return "policy exported as ONNX"
    # The name of a zip's first member stands after 30 bytes.
    if path.suffix == ".npz" and data[:2] == b"PK" and b".npy" in data[30:100]:
        return "policy exported for NumPy"
    if not data.startswith(b"PK"):
        raise InputError(
            f"{printable(path)} must be a zip written by Stable-Baselines3, it is "
            "none; name the agent's zip or the folder of its run"
        )
    return CHECKPOINT


def read_parts(
    files: AgentFiles, data: bytes, part: Part = nullcontext
) -> dict[str, Any]:
    """Returns what the files of an agent hold, as the fields of `PolicyData`.

    Args:
        files: of the agent.
        data: of its own file.
        part: what each part is read in; where it swallows a refusal, the part is
            missing.
    """
    read: dict[str, Any] = {}
    if is_bundle(data):
        with part("bundle"):
            read = vars(read_bundle(data))
    else:
        read = read_checkpoint(data, part)
        read |= {"env_id": files.env_name, "env_kwargs": files.env_kwargs}
        with part("statistics"):
            read["normalisations"], read["statistics_sha256"] = _statistics_of(files)
        with part("wrappers"):
            read["wrappers"] = wrappers_of(files.settings)
            _require_unstacked(read)
    if {"normalisations", "observation_space"} <= read.keys():
        with part("statistics"):
            require_fit(read["normalisations"], read["observation_space"])
    return read


def _require_unstacked(read: dict[str, Any]) -> None:
    stacked = any(wrapper.name == "VecFrameStack" for wrapper in read["wrappers"])
    if stacked and read.get("normalisations"):
        raise Refusal(
            "wrapper",
            "an agent whose observations were normalised before its frames were "
            "stacked is not read yet",
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


def _statistics_of(files: AgentFiles) -> tuple[Normalisations, str | None]:
    """Returns how the agent's observations were normalised, and the file's SHA-256."""
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
