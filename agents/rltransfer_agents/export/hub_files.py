"""An agent's run under the names that RL Zoo gives its files on the hub.

Zip and statistics are what Stable-Baselines3 and RL Zoo load; the bundle beside them
holds the same policy as data.
"""

import io
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np
import yaml
from stable_baselines3.common.running_mean_std import RunningMeanStd
from stable_baselines3.common.vec_env import DummyVecEnv, VecNormalize

from rltransfer.errors import ArtifactRefused
from rltransfer.io import Manifest, changed_files, folder_name, write_atomically
from rltransfer_agents.export.export_agent import export_policy_data
from rltransfer_agents.loading.agent_files import locate
from rltransfer_agents.loading.agent_loading import read_policy_data
from rltransfer_agents.loading.bundle import SUFFIX
from rltransfer_agents.loading.hub import METRICS
from rltransfer_agents.loading.policy_data import PolicyData
from rltransfer_agents.loading.refusal import printable, read_bounded
from rltransfer_agents.loading.running_statistics import (
    Moments,
    Statistics,
    read_statistics,
)
from rltransfer_agents.loading.yaml_reader import read_yaml
from rltransfer_agents.training.agent_saving import write_zoo_statistics
from rltransfer_agents.training.student_files import SpacesOnly

HYPERPARAMETERS, ARGUMENTS = "config.yml", "args.yml"
ENV_KWARGS, STATISTICS = "env_kwargs.yml", "vec_normalize.pkl"
_CURVES = ("evaluations.npz", "*.monitor.csv")


@final
@dataclass(frozen=True)
class HubAgent:
    """What was written about the agent of a run."""

    name: str
    """Of its files, `ALGO-ENV`, without an ending."""
    algorithm: str
    hyperparameters: dict[str, Any]


def write_hub_files(run: Path, manifest: Manifest, to: Path) -> HubAgent:
    """Writes the best agent of a run, or its only one, as it goes onto the hub.

    Args:
        run: folder of a finished training or of a student.
        manifest: of the run.
        to: folder to write to.

    Raises:
        ArtifactRefused: a file is not as the manifest has it.
    """
    require_unchanged(run, manifest)
    files = locate(run)
    data, env_name = read_policy_data(files), folder_name(files.env_name)
    name = f"{data.algorithm}-{env_name}"
    write_atomically(to / f"{name}.zip", read_bounded(files.agent))
    export_policy_data(data, to / f"{name}{SUFFIX}")
    if files.statistics is not None:
        _write_statistics(to / STATISTICS, read_statistics(files.statistics), data)
    arguments = read_yaml(run / env_name / ARGUMENTS)
    # A folder of one machine has no place in what travels.
    written = {
        HYPERPARAMETERS: files.settings,
        ARGUMENTS: {**arguments, "tensorboard_log": ""},
        ENV_KWARGS: dict(files.env_kwargs),
    }
    for file, values in written.items():
        write_atomically(to / file, yaml.safe_dump(values).encode())
    write_atomically(to / METRICS, _metrics(run))
    return HubAgent(name, data.algorithm, files.settings)


def require_unchanged(run: Path, manifest: Manifest, folder: str = "") -> None:
    """Raises where files of a finished run are not as they were left.

    Logs for TensorBoard are not looked at: they are often thinned out or moved.

    Args:
        run: its folder.
        manifest: of the run.
        folder: within it, with a slash at the end; all by default.
    """
    changed = [
        name
        for name in changed_files(run, manifest)
        if name.startswith(folder) and not name.startswith("tensorboard/")
    ]
    if changed:
        raise ArtifactRefused(
            f"a run is pushed as it was left, and {', '.join(map(printable, changed))} "
            f"in {printable(run)} is gone or changed; restore it, or repeat the run"
        )


def _write_statistics(path: Path, statistics: Statistics, data: PolicyData) -> None:
    """Writes statistics in the form that `VecNormalize.load` reads."""
    spaces = data.observation_space, data.action_space
    envs = VecNormalize(
        DummyVecEnv([lambda: SpacesOnly(*spaces)]),
        training=False,
        norm_obs=statistics.norm_obs,
        norm_reward=statistics.norm_reward,
        clip_obs=statistics.clip_obs,
        clip_reward=statistics.clip_reward,
        gamma=statistics.gamma,
        epsilon=statistics.epsilon,
    )
    if statistics.observation is not None:
        assert isinstance(envs.obs_rms, RunningMeanStd)
        _put(envs.obs_rms, statistics.observation)
    _put(envs.ret_rms, statistics.reward)
    write_zoo_statistics(path, envs)


def _put(seen: RunningMeanStd, moments: Moments) -> None:
    seen.mean = np.asarray(moments.mean, np.float64)
    seen.var = np.asarray(moments.variance, np.float64)
    seen.count = moments.count


def _metrics(run: Path) -> bytes:
    """Returns a zip of the evaluations and of the returns while training."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(path for curve in _CURVES for path in run.glob(curve)):
            # Without the time of the copy, equal contents are equal files.
            archive.writestr(zipfile.ZipInfo(path.name), path.read_bytes())
    return buffer.getvalue()
