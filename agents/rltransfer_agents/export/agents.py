"""Agents out of any file into any format, told apart by the names of the files."""

from pathlib import Path

from rltransfer.errors import InputError
from rltransfer_agents.export import numpy_policy, onnx_policy
from rltransfer_agents.export.bundles import rebundle
from rltransfer_agents.export.numpy_policy import export_numpy
from rltransfer_agents.export.onnx_policy import export_onnx
from rltransfer_agents.loading import bundle_container as container
from rltransfer_agents.loading.load_agent import open_agent
from rltransfer_agents.loading.policy_families import freeze

_POLICY_WRITERS = {numpy_policy.SUFFIX: export_numpy, onnx_policy.SUFFIX: export_onnx}


def export_agent(
    source: Path | str,
    path: Path | str,
    *,
    sha256: str | None = None,
    best: bool | None = None,
) -> Path:
    """Writes the agent at `source`, in the format that the name of `path` asks for.

    Args:
        source: anything that `read_agent` reads.
        path: ending in `.safetensors` for a bundle, `.npz` for NumPy, or `.onnx`.
        sha256: the hash that the source must have.
        best: which agent of a run, as for `read_agent`.

    Raises:
        InputError: if the name has another ending, or the format cannot hold the agent.
        ArtifactRefused: if the source is refused.
    """
    suffix = Path(path).suffix
    if suffix == container.SUFFIX:
        return rebundle(source, path, sha256=sha256, best=best)
    if suffix not in _POLICY_WRITERS:
        endings = ", ".join([container.SUFFIX, *_POLICY_WRITERS])
        raise InputError(
            f"the file's name must end in {endings}, got {path}; rename it"
        )
    opened = open_agent(source, sha256=sha256, best=best)
    return _POLICY_WRITERS[suffix](freeze(opened.bundle.stored_policy()), path)
