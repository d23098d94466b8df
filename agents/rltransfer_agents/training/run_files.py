"""The files of a training run, and how agents are written into them."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np
from stable_baselines3.common.running_mean_std import RunningMeanStd
from stable_baselines3.common.vec_env import VecNormalize

from rltransfer.io import folder_name, storage_faults, write_atomically
from rltransfer_agents.loading.running_statistics import (
    Moments,
    Statistics,
    write_statistics,
)
from rltransfer_agents.training.algorithms import Learner
from rltransfer_agents.training.divergence import require_finite
from rltransfer_agents.training.train_config import TrainConfig
from rltransfer_agents.training.vector_env import VectorEnv


@final
@dataclass(frozen=True)
class RunFiles:
    """The files in the folder of one run."""

    folder: Path
    env_id: str
    tensorboard_elsewhere: Path | None = None
    """Folder of this run's TensorBoard events, if not in its own folder."""

    @classmethod
    def of(cls, config: TrainConfig, folder: Path) -> "RunFiles":
        """Returns the files of a training whose run has `folder`."""
        elsewhere = config.tensorboard_folder
        if elsewhere is not None:
            # A folder of its own, so that the curves of several runs stay apart.
            elsewhere = elsewhere / config.algorithm / folder.name
        return cls(folder, config.env_id, elsewhere)

    @property
    def agent(self) -> Path:
        """The agent as it was at the end."""
        return self.folder / f"{self._name}.zip"

    @property
    def statistics(self) -> Path:
        """Running statistics that belong to `agent`."""
        return self.settings / "vecnormalize.json"

    @property
    def zoo_statistics(self) -> Path:
        """The same, in the form in which RL Zoo reads them."""
        return self.settings / "vecnormalize.pkl"

    @property
    def best_agent(self) -> Path:
        """The agent as it was when it did best in evaluation."""
        return self.folder / "best_model.zip"

    @property
    def best_statistics(self) -> Path:
        """Running statistics that belong to `best_agent`."""
        return self.folder / "best_vecnormalize.json"

    @property
    def evaluations(self) -> Path:
        """Returns and lengths of all evaluations."""
        return self.folder / "evaluations.npz"

    @property
    def episodes(self) -> Path:
        """Returns and lengths of all training episodes."""
        return self.folder / "0.monitor.csv"

    @property
    def settings(self) -> Path:
        """Folder of what the run was asked for."""
        return self.folder / self._name

    @property
    def hyperparameters(self) -> Path:
        """What the algorithm was set to."""
        return self.settings / "config.yml"

    @property
    def arguments(self) -> Path:
        """The arguments of the command."""
        return self.settings / "args.yml"

    @property
    def tensorboard(self) -> Path:
        """Folder of TensorBoard's events."""
        return self.tensorboard_elsewhere or self.folder / "tensorboard"

    @property
    def snapshots(self) -> Path:
        """Folder from which an interrupted run resumes; removed when it is finished."""
        return self.folder / ".resume"

    @property
    def _name(self) -> str:
        return folder_name(self.env_id)


def save_agent(learner: Learner, path: Path, statistics_path: Path) -> None:
    """Writes an agent and, where it has some, its running statistics.

    Args:
        learner: the agent.
        path: of the zip.
        statistics_path: of the JSON file.
    """
    require_finite(learner)
    envs = learner.get_vec_normalize_env()
    if envs is not None:
        write_statistics(statistics_path, statistics_of(envs))
    buffer = io.BytesIO()
    with _declared_spaces(learner):
        # The folder of one machine has no place in a file that travels.
        learner.save(buffer, exclude=["tensorboard_log"])
    write_atomically(path, buffer.getvalue())


@contextmanager
def _declared_spaces(learner: Learner) -> Iterator[None]:
    """Gives a learner the environment's own spaces; it counts choices from 0."""
    envs = learner.get_env()
    assert envs is not None and isinstance(envs.unwrapped, VectorEnv)
    before = learner.action_space
    declared = envs.unwrapped.declared_spaces[1]
    try:
        if declared != before:
            learner.action_space = declared
        yield
    finally:
        learner.action_space = before


def save_last(learner: Learner, files: RunFiles) -> None:
    """Writes what training ended with, for RL Zoo too."""
    save_agent(learner, files.agent, files.statistics)
    envs = learner.get_vec_normalize_env()
    if envs is not None:
        write_zoo_statistics(files.zoo_statistics, envs)


def write_zoo_statistics(path: Path, envs: VecNormalize) -> None:
    """Writes the file in which RL Zoo looks for statistics; nothing here reads it."""
    draft = path.with_name(f".{path.name}.draft.tmp")
    with storage_faults(draft):
        envs.save(str(draft))
        data = draft.read_bytes()
        draft.unlink()
    write_atomically(path, data)


def statistics_of(envs: VecNormalize) -> Statistics:
    """Returns the statistics gathered in `envs`."""
    seen = envs.obs_rms if envs.norm_obs else None
    assert seen is None or isinstance(seen, RunningMeanStd)
    return Statistics(
        norm_obs=envs.norm_obs,
        norm_reward=envs.norm_reward,
        clip_obs=envs.clip_obs,
        clip_reward=envs.clip_reward,
        epsilon=envs.epsilon,
        gamma=envs.gamma,
        observation=None if seen is None else _moments(seen),
        reward=_moments(envs.ret_rms),
    )


def _moments(seen: RunningMeanStd) -> Moments:
    mean: Any = np.asarray(seen.mean, np.float64).tolist()
    variance: Any = np.asarray(seen.var, np.float64).tolist()
    return Moments(mean, variance, float(seen.count))
