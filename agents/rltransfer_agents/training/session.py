"""One training, from its folder to its manifest, in this process."""

import time
from collections.abc import Mapping
from contextlib import ExitStack, closing
from typing import Any

import gymnasium as gym
import numpy as np
from stable_baselines3 import A2C
from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm

from rltransfer import runs
from rltransfer_agents.training.acting import Kept, choice_of, kept
from rltransfer_agents.training.algorithms import (
    Learner,
    make_learner,
    normalised,
    require_spaces,
)
from rltransfer_agents.training.boundary import Boundary
from rltransfer_agents.training.config import Progress, TrainConfig, TrainedRun, Watch
from rltransfer_agents.training.environments import Seat, SideBySide
from rltransfer_agents.training.evaluations import Evaluations
from rltransfer_agents.training.isolation import isolated
from rltransfer_agents.training.logs import EpisodeLog, tensorboard_logger
from rltransfer_agents.training.run_files import RunFiles
from rltransfer_agents.training.saving import save_agent, write_zoo_statistics
from rltransfer_agents.training.settings import write_settings
from rltransfer_agents.training.stopping import StopRequests, stop_requests
from rltransfer_agents.training.tuned import tuned_hyperparameters
from rltransfer_envs.making import make

# Far apart, so that the episodes of one purpose are never those of another.
_EVALUATION_SEED = 10**6
_REPORT_SEEDS = (2 * 10**6, 3 * 10**6)


def train_source(config: TrainConfig, watch: Watch | None = None) -> TrainedRun:
    """Trains an agent in this process and returns where it lies.

    Args:
        config: what to train.
        watch: told now and then how far the training has come.

    Raises:
        UserError: of the kind that says what went wrong; what was saved is kept.
    """
    hyperparameters = tuned_hyperparameters(
        config.algorithm, config.env_id, config.env_kwargs, config.hyperparameters
    )
    # Before there is a folder, so that wrong input leaves nothing behind.
    with closing(make(config.env_id, **config.env_kwargs)) as env:
        require_spaces(
            config.algorithm, config.env_id, env.observation_space, env.action_space
        )
    folder = runs.next_run_folder(config.log_folder, config.algorithm, config.env_id)
    files = RunFiles(folder, config.env_id)
    with isolated(), runs.locked(folder), stop_requests() as stop:
        write_settings(files, config, hyperparameters)
        return _train(files, config, hyperparameters, watch, stop)


def _train(
    files: RunFiles,
    config: TrainConfig,
    hyperparameters: Mapping[str, Any],
    watch: Watch | None,
    stop: StopRequests,
) -> TrainedRun:
    start = time.monotonic()
    total = config.steps or hyperparameters["n_timesteps"]
    best: list[Kept] = []

    def keep_best() -> None:
        save_agent(learner, files.best_agent, files.best_statistics)
        best[:] = [kept(learner)]

    def report(steps: int, mean_return: float | None) -> None:
        if watch is not None:
            watch(Progress(config.env_id, config.algorithm, steps, total, mean_return))

    with ExitStack() as stack:
        evaluations = Evaluations(
            files.evaluations,
            _seats(config, config.evaluation_episodes, "evaluation"),
            every=max(1, total // config.evaluations) if config.evaluations else 0,
            seed=config.seed + _EVALUATION_SEED,
        )
        stack.enter_context(closing(evaluations))
        envs = SideBySide(_seats(config, hyperparameters.get("n_envs", 1), "training"))
        stack.callback(envs.close)
        learner = make_learner(
            config.algorithm,
            normalised(envs, hyperparameters),
            hyperparameters,
            seed=config.seed,
            device=config.device,
        )
        logger = tensorboard_logger(config.tensorboard_folder or files.tensorboard)
        stack.callback(logger.close)
        learner.set_logger(logger)
        episodes = EpisodeLog(files.episodes, config.env_id)
        stack.enter_context(closing(episodes))
        boundary = Boundary(
            learner,
            evaluations,
            keep_best,
            episodes,
            report,
            stop,
            # How often Stable-Baselines3 logs by default.
            log_interval=100 if isinstance(learner, A2C) else 1,
        )
        on_policy = isinstance(learner, OnPolicyAlgorithm)
        # On-policy, the boundary logs; SB3 takes None, which its annotation lacks.
        interval: Any = None if on_policy else 4
        learner.learn(total, callback=boundary, log_interval=interval)
        _save(learner, files)
        choose = choice_of(learner, best[0])
        rounds = [
            evaluations.play(choose, config.seed + seed) for seed in _REPORT_SEEDS
        ]
    run = TrainedRun(
        env_id=config.env_id,
        algorithm=config.algorithm,
        folder=files.folder,
        steps=learner.num_timesteps,
        mean_return=float(np.mean(rounds)),
        seconds=time.monotonic() - start,
    )
    runs.write_manifest(files.folder, _manifest(run, config, learner))
    return run


def _seats(config: TrainConfig, count: int, purpose: str) -> list[Seat]:
    def make_one() -> gym.Env[Any, Any]:
        return make(config.env_id, **config.env_kwargs)

    return [Seat(make_one, f"{config.env_id} ({purpose} {i})") for i in range(count)]


def _save(learner: Learner, files: RunFiles) -> None:
    save_agent(learner, files.agent, files.statistics)
    envs = learner.get_vec_normalize_env()
    if envs is not None:
        write_zoo_statistics(files.zoo_statistics, envs)


def _manifest(run: TrainedRun, config: TrainConfig, learner: Learner) -> runs.Manifest:
    return runs.Manifest(
        verb="train-source",
        versions=runs.installed_versions(),
        seeds={"training": config.seed},
        steps={"training": run.steps},
        spaces={
            "observation": runs.describe_space(learner.observation_space),
            "action": runs.describe_space(learner.action_space),
        },
        settings={
            "algo": config.algorithm,
            "env": config.env_id,
            "env_kwargs": dict(config.env_kwargs),
        },
        results={"mean_return": run.mean_return, "seconds": run.seconds},
    )
