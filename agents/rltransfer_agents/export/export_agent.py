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
from rltransfer_agents.loading.policy_data import PolicyData
from rltransfer_agents.loading.stock_policies import build_policy
from rltransfer_agents.policies import FrozenPolicy

_POLICY_WRITERS = {NUMPY_SUFFIX: export_numpy, ONNX_SUFFIX: export_onnx}


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
    suffix = Path(path).suffix
    if suffix == BUNDLE_SUFFIX:
        return rebundle(source, path, sha256=sha256, best=best, statistics=statistics)
    if suffix not in _POLICY_WRITERS:
        endings = ", ".join([BUNDLE_SUFFIX, *_POLICY_WRITERS])
        raise InputError(
            f"the file's name must end in {endings}, got {path}; rename it"
        )
    files = locate(source, best=best, statistics=statistics)
    data = read_policy_data(files, sha256=sha256)
    wrappers = [str(wrapper) for wrapper in data.wrappers]
    return _POLICY_WRITERS[suffix](build_policy(data), path, wrappers)


def rebundle(
    source: Path | str,
    path: Path | str,
    *,
    sha256: str | None = None,
    best: bool | None = None,
    statistics: StatisticsChoice = None,
) -> tuple[Path, ...]:
    """Writes an agent's zip or run folder, read without running it, as a bundle."""
    target = require_new(path, BUNDLE_SUFFIX)
    files = locate(source, best=best, statistics=statistics)
    data = read_policy_data(files, sha256=sha256)
    return _write(data, build_policy(data), target)


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
    return _write(data, policy, target)


def _write(data: PolicyData, policy: FrozenPolicy, path: Path) -> tuple[Path, ...]:
    written = write_bundle(data)
    again = build_policy(read_bundle(written))
    require_equal(
        lambda rows: again.predict(rows, deterministic=True)[0], policy, str(path)
    )
    write_atomically(path, written)
    return (path,)
