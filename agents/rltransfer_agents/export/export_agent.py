"""Agents out of any file into any format; the name of the file says which."""

from pathlib import Path
from typing import Any

from stable_baselines3.common.base_class import BaseAlgorithm

from rltransfer.errors import InputError
from rltransfer.io import write_atomically
from rltransfer_agents.export.export_checks import require_equal, require_new
from rltransfer_agents.export.live_model import policy_data_of
from rltransfer_agents.export.onnx_export import ONNX_SUFFIX, export_onnx
from rltransfer_agents.export.plain_policy import NUMPY_SUFFIX, export_numpy
from rltransfer_agents.loading.agent_files import StatisticsChoice, locate
from rltransfer_agents.loading.agent_loading import read_policy_data
from rltransfer_agents.loading.bundle import SUFFIX as BUNDLE_SUFFIX
from rltransfer_agents.loading.bundle import read_bundle, write_bundle
from rltransfer_agents.loading.policy_builders import build_policy
from rltransfer_agents.loading.policy_data import PolicyData
from rltransfer_agents.policies import FrozenPolicy

_WRITERS = {NUMPY_SUFFIX: export_numpy, ONNX_SUFFIX: export_onnx}


def export_agent(
    source: Path | str,
    path: Path | str,
    *,
    sha256: str | None = None,
    best: bool | None = None,
    statistics: StatisticsChoice = None,
) -> tuple[Path, ...]:
    """Writes the agent at `source`, in the format that the name of `path` asks for.

    Args:
        source: anything that `load_agent` reads.
        path: ending in `.safetensors` for a bundle, `.npz` for NumPy, or `.onnx`.
        sha256: the hash that the source must have.
        best: which agent of a run, as for `load_agent`.
        statistics: of the agent, as for `load_agent`.

    Returns:
        what was written, the agent first.

    Raises:
        InputError: the name has another ending, a file is there already, or the format
            cannot hold the agent.
        ArtifactRefused: the source is refused.
    """
    require_format(path)
    files = locate(source, best=best, statistics=statistics)
    return export_policy_data(read_policy_data(files, sha256=sha256), path)


def export_policy_data(data: PolicyData, path: Path | str) -> tuple[Path, ...]:
    """Writes an agent that was read; see `export_agent`."""
    suffix, policy = require_format(path), build_policy(data)
    if suffix == BUNDLE_SUFFIX:
        return _write_bundle(data, policy, require_new(path, suffix))
    return _WRITERS[suffix](policy, path, [str(wrapper) for wrapper in data.wrappers])


def require_format(path: Path | str) -> str:
    """Returns the ending of a file's name, if it is that of a format."""
    suffix, endings = Path(path).suffix, [BUNDLE_SUFFIX, *_WRITERS]
    if suffix not in endings:
        raise InputError(
            f"the file's name must end in {', '.join(endings)}, got {path}; rename it"
        )
    return suffix


def export_bundle(model: BaseAlgorithm, path: Path | str) -> tuple[Path, ...]:
    """Writes a live model so that anyone can read it without running anything.

    Args:
        model: as trained or loaded on its author's machine; where its environment is a
            `VecNormalize`, its statistics go into the bundle.
        path: of the file, ending in `.safetensors`.

    Returns:
        what was written.

    Raises:
        InputError: the file is there already, or would not act as the model does.
    """
    target = require_new(path, BUNDLE_SUFFIX)
    data = policy_data_of(model)
    policy = build_policy(data)

    def act(observations: Any) -> Any:
        envs = model.get_vec_normalize_env()
        seen = observations if envs is None else envs.normalize_obs(observations)
        return model.predict(seen, deterministic=True)[0]

    require_equal(act, policy, str(target))
    return _write_bundle(data, policy, target)


def _write_bundle(
    data: PolicyData, policy: FrozenPolicy, path: Path
) -> tuple[Path, ...]:
    written = write_bundle(data)
    again = build_policy(read_bundle(written))
    require_equal(
        lambda rows: again.predict(rows, deterministic=True)[0], policy, str(path)
    )
    write_atomically(path, written)
    return (path,)
