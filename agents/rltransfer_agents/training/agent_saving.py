"""Agents are written whole, with their statistics, and never once one has diverged."""

import io
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from stable_baselines3.common.running_mean_std import RunningMeanStd
from stable_baselines3.common.vec_env import VecNormalize

from rltransfer.errors import EnvironmentFault, InputError, UserError
from rltransfer.io import storage_faults, write_atomically
from rltransfer_agents.loading.running_statistics import (
    Moments,
    Statistics,
    write_statistics,
)
from rltransfer_agents.training.algorithms import Learner
from rltransfer_agents.training.vector_env import vector_env_of


def save_agent(learner: Learner, path: Path, statistics_path: Path) -> None:
    """Writes an agent and, where it has some, its running statistics.

    Args:
        learner: the agent.
        path: of the zip.
        statistics_path: of the JSON file.
    """
    require_finite(learner)
    statistics = statistics_of(learner)
    if statistics is not None:
        write_statistics(statistics_path, statistics)
    buffer = io.BytesIO()
    # The environment's own space; a learner counts choices from 0.
    before, declared = learner.action_space, vector_env_of(learner).declared_spaces[1]
    try:
        if declared != before:
            learner.action_space = declared
        # The folder of one machine has no place in a file that travels.
        learner.save(buffer, exclude=["tensorboard_log"])
    finally:
        learner.action_space = before
    write_atomically(path, buffer.getvalue())


def write_zoo_statistics(path: Path, envs: VecNormalize) -> None:
    """Writes the file in which RL Zoo looks for statistics; nothing here reads it."""
    draft = path.with_name(f".{path.name}.draft.tmp")
    with storage_faults(draft):
        envs.save(str(draft))
        data = draft.read_bytes()
        draft.unlink()
    write_atomically(path, data)


def statistics_of(learner: Learner) -> Statistics | None:
    """Returns the statistics gathered in a learner's environments, if it has some."""
    envs = learner.get_vec_normalize_env()
    if envs is None:
        return None
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


@contextmanager
def divergence_named(learner: Learner) -> Iterator[None]:
    """Says of what ends a training that it diverged, if that is the cause."""
    try:
        yield
    except EnvironmentFault:
        require_finite_actions(learner, vector_env_of(learner).actions)
        raise
    except UserError:
        raise
    except (ValueError, RuntimeError) as fault:
        # What torch says of numbers that are not finite depends on where they show.
        require_finite(learner)
        if "of distribution" in str(fault):
            raise _diverged(learner, "its actions have no distribution") from fault
        raise


def require_finite_actions(learner: Learner, actions: NDArray[Any]) -> None:
    """Raises for actions that no environment can be blamed for."""
    if not np.isfinite(actions).all():
        raise _diverged(learner, "its actions are not finite")


def require_finite(learner: Learner) -> None:
    """Raises if learning has diverged: nothing that is not finite is ever saved."""
    for name, numbers in _numbers(learner):
        if not np.isfinite(numbers).all():
            raise _diverged(learner, f"{name} is not finite")


def _numbers(learner: Learner) -> Iterator[tuple[str, NDArray[Any]]]:
    """Yields the networks and what steers them: optimizers, temperature, statistics."""
    yield from _tensors("", learner.get_parameters())
    yield from _tensors("log_ent_coef", getattr(learner, "log_ent_coef", None))
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


def _diverged(learner: Learner, reason: str) -> InputError:
    return InputError(
        f"training diverged by step {learner.num_timesteps}: {reason}; lower the "
        "learning_rate, what was saved before is kept"
    )
