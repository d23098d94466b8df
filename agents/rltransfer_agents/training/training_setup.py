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
from rltransfer_agents.training.algorithms import (
    Learner,
    make_learner,
    normalised,
    planned_steps,
    require_updates,
)
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
class Prepared:
    """What a training needs before there is a folder for it."""

    learner: Learner
    planned_steps: int
    """What the training will take: it ends with a whole rollout."""
    evaluation_envs: VectorEnv
    stack: ExitStack
    """Closes what has to be closed."""


def prepare(
    config: TrainConfig, hyperparameters: Mapping[str, Any], stack: ExitStack
) -> Prepared:
    """Returns a learner in its environments, and those that it is evaluated in.

    Raises:
        InputError: the learner does not take the hyperparameters, or would not learn.
    """
    timeout = stack.enter_context(StepTimeout(config.step_seconds).active())
    evaluation_envs = _vector_env(
        config, config.evaluation_episodes, "evaluation", timeout
    )
    stack.callback(evaluation_envs.close)
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
    planned = planned_steps(learner, config.steps or hyperparameters["n_timesteps"])
    require_updates(config.algorithm, learner, planned)
    return Prepared(learner, planned, evaluation_envs, stack)


@final
@dataclass(frozen=True, eq=False)
class TrainingSetup:
    """The learner, and all that a training needs beside it."""

    config: TrainConfig
    files: RunFiles
    total_steps: int
    """As asked: schedules end here."""
    planned_steps: int
    learner: Learner
    evaluations: Evaluations
    snapshots: SnapshotFiles
    logs: TrainingLogs


def set_up_training(
    config: TrainConfig, files: RunFiles, prepared: Prepared
) -> TrainingSetup:
    """Returns a training that has a folder and has not begun."""
    learner, total = prepared.learner, config.steps or prepared.planned_steps
    evaluations = Evaluations(
        files.evaluations,
        prepared.evaluation_envs,
        every=max(1, total // config.evaluations) if config.evaluations else 0,
        seed=config.seed + _EVALUATION_SEED,
    )
    buffer = getattr(learner, "replay_buffer", None)
    snapshots = SnapshotFiles(files.snapshots, buffer, config.snapshot_seconds)
    logs = TrainingLogs(files.episodes, files.tensorboard, files.folder, config.env_id)
    prepared.stack.enter_context(closing(logs))
    return TrainingSetup(
        config,
        files,
        total,
        prepared.planned_steps,
        learner,
        evaluations,
        snapshots,
        logs,
    )


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
