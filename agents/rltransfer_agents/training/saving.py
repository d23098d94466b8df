"""Agents on disk, as Stable-Baselines3 and RL Zoo expect to find them."""

import io
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from stable_baselines3.common.running_mean_std import RunningMeanStd
from stable_baselines3.common.vec_env import VecNormalize

from rltransfer.errors import InputError
from rltransfer.io import storage_faults, write_atomically
from rltransfer_agents.loading.running_statistics import (
    Moments,
    Statistics,
    write_statistics,
)
from rltransfer_agents.training.algorithms import Learner
from rltransfer_agents.training.run_files import RunFiles


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
    # The folder of one machine has no place in a file that travels.
    learner.save(buffer, exclude=["tensorboard_log"])
    write_atomically(path, buffer.getvalue())


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


def require_finite(learner: Learner) -> None:
    """Raises if learning has diverged: nothing that is not finite is ever saved."""
    for name, numbers in _numbers(learner):
        if not np.isfinite(numbers).all():
            raise InputError(
                f"training diverged by step {learner.num_timesteps}: {name} is not "
                "finite; lower the learning_rate, what was saved before is kept"
            )


def _numbers(learner: Learner) -> Iterator[tuple[str, NDArray[Any]]]:
    """Yields the networks and what steers them: optimizers, temperature, statistics."""
    yield from _tensors("", learner.get_parameters())
    temperature = getattr(learner, "log_ent_coef", None)
    if temperature is not None:
        yield "log_ent_coef", temperature.detach().cpu().numpy()
    envs = learner.get_vec_normalize_env()
    if envs is not None:
        for name in ("obs_rms", "ret_rms"):
            seen = getattr(envs, name, None)
            if isinstance(seen, RunningMeanStd):
                yield f"the mean of {name}", np.asarray(seen.mean)
                yield f"the variance of {name}", np.asarray(seen.var)


def _tensors(name: str, part: Any) -> Iterator[tuple[str, NDArray[Any]]]:
    if isinstance(part, torch.Tensor):
        yield name, part.detach().cpu().numpy()
    elif isinstance(part, Mapping):
        for key, inner in part.items():
            yield from _tensors(f"{name}.{key}" if name else str(key), inner)


def _moments(seen: RunningMeanStd) -> Moments:
    mean: Any = np.asarray(seen.mean, np.float64).tolist()
    variance: Any = np.asarray(seen.var, np.float64).tolist()
    return Moments(mean, variance, float(seen.count))
