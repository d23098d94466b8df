"""What one training consists of, and how it is put together."""

from collections.abc import Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass
from functools import partial
from typing import Any, final

from rltransfer.wrappers import (
    CheckedEnv,
    ReplayableEnv,
    StepTimeout,
    make_in_time,
    subprocess_envs,
)
from rltransfer_agents.training.algorithms import Learner, make_learner, normalised
from rltransfer_agents.training.evaluations import Evaluations
from rltransfer_agents.training.run_files import RunFiles
from rltransfer_agents.training.snapshot_files import SnapshotFiles
from rltransfer_agents.training.train_config import TrainConfig
from rltransfer_agents.training.training_logs import TrainingLogs
from rltransfer_agents.training.vector_env import VectorEnv
from rltransfer_envs.making import make

# Far apart, so that the episodes of one purpose are never those of another.
_EVALUATION_SEED = 10**6


@final
@dataclass(frozen=True, eq=False)
class TrainingSetup:
    """The learner, and all that a training needs beside it."""

    config: TrainConfig
    files: RunFiles
    total_steps: int
    learner: Learner
    evaluations: Evaluations
    snapshots: SnapshotFiles
    logs: TrainingLogs


def set_up_training(
    config: TrainConfig,
    files: RunFiles,
    hyperparameters: Mapping[str, Any],
    stack: ExitStack,
) -> TrainingSetup:
    """Returns a training that has not begun; `stack` closes what has to be closed."""
    timeout = stack.enter_context(StepTimeout(config.step_seconds).active())
    total = config.steps or hyperparameters["n_timesteps"]
    evaluations = Evaluations(
        files.evaluations,
        _vector_env(config, config.evaluation_episodes, "evaluation", timeout),
        every=max(1, total // config.evaluations) if config.evaluations else 0,
        seed=config.seed + _EVALUATION_SEED,
    )
    stack.enter_context(closing(evaluations))
    count = hyperparameters.get("n_envs", 1)
    envs = _vector_env(config, count, "training", timeout)
    stack.callback(envs.close)
    learner = make_learner(
        config.algorithm,
        normalised(envs, hyperparameters),
        hyperparameters,
        seed=config.seed,
        device=config.device,
    )
    buffer = getattr(learner, "replay_buffer", None)
    snapshots = SnapshotFiles(files.snapshots, buffer, config.snapshot_seconds)
    logs = TrainingLogs(files.episodes, files.tensorboard, config.env_id)
    stack.enter_context(closing(logs))
    return TrainingSetup(config, files, total, learner, evaluations, snapshots, logs)


def _vector_env(
    config: TrainConfig, count: int, purpose: str, timeout: StepTimeout
) -> VectorEnv:
    # Not a function in a function: it travels to other processes.
    make_one = partial(make, config.env_id, **config.env_kwargs)
    names = [f"{config.env_id} ({purpose} {index})" for index in range(count)]
    if config.vec_env == "subproc":
        return VectorEnv(subprocess_envs(make_one, names, config.step_seconds))
    envs = []
    for name in names:
        env = make_in_time(make_one, config.env_id, config.step_seconds)
        envs.append(ReplayableEnv(CheckedEnv(env, name)))
    return VectorEnv(envs, timeout)
