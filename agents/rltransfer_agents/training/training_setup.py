"""What one training consists of, made from plain data."""

from collections.abc import Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass
from functools import partial
from typing import Any, final

import numpy as np
import torch
from gymnasium import spaces
from stable_baselines3.common.noise import (
    ActionNoise,
    NormalActionNoise,
    OrnsteinUhlenbeckActionNoise,
)
from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm
from stable_baselines3.common.type_aliases import TrainFreq, TrainFrequencyUnit
from stable_baselines3.common.utils import LinearSchedule
from stable_baselines3.common.vec_env import VecEnv, VecNormalize

from rltransfer.errors import InputError
from rltransfer.random_streams import RandomStreams
from rltransfer.wrappers import (
    CheckedEnv,
    ReplayableEnv,
    StepTimeout,
    make_in_time,
    subprocess_envs,
)
from rltransfer_agents.training.algorithms import ALGORITHMS, Learner
from rltransfer_agents.training.evaluations import Evaluations
from rltransfer_agents.training.hyperparameters import schedule_start
from rltransfer_agents.training.run_files import RunFiles
from rltransfer_agents.training.snapshots import SnapshotFiles
from rltransfer_agents.training.train_config import TrainConfig
from rltransfer_agents.training.training_logs import TrainingLogs
from rltransfer_agents.training.vector_env import VectorEnv
from rltransfer_envs.making import make

_USES = ("evaluation", "report")


@final
@dataclass(frozen=True, eq=False)
class Prepared:
    """What a training needs before there is a folder for it."""

    learner: Learner
    planned_steps: int
    """What the training will take: it ends with a whole rollout."""
    evaluation_envs: VectorEnv
    seeds_ignored: bool
    """Whether two resets with one seed show different observations."""
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
    learner = _make_learner(
        config.algorithm,
        _normalised(envs, hyperparameters),
        hyperparameters,
        # As it is: with one seed SB3 and RL Zoo train the same agent.
        seed=config.seed,
        device=config.device,
    )
    planned = _planned_steps(learner, config.steps or hyperparameters["n_timesteps"])
    _require_updates(config.algorithm, learner, planned)
    seed = streams_of(config).integer("evaluation")
    first, again = (evaluation_envs.reset_some([0], [seed]) for _ in range(2))
    seeds_ignored = not np.array_equal(first, again)
    return Prepared(learner, planned, evaluation_envs, seeds_ignored, stack)


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
    seeds_ignored: bool
    snapshots: SnapshotFiles
    logs: TrainingLogs


def streams_of(config: TrainConfig) -> RandomStreams:
    """Returns the random streams of a training, beside the learner's own."""
    return RandomStreams(config.seed, *_USES)


def set_up_training(
    config: TrainConfig, files: RunFiles, prepared: Prepared
) -> TrainingSetup:
    """Returns a training that has a folder and has not begun."""
    learner, total = prepared.learner, config.steps or prepared.planned_steps
    evaluations = Evaluations(
        files.evaluations,
        prepared.evaluation_envs,
        every=max(1, total // config.evaluations) if config.evaluations else 0,
        seed=streams_of(config).integer("evaluation"),
        cap=config.episode_cap,
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
        prepared.seeds_ignored,
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


_ACTIVATIONS: dict[str, type[torch.nn.Module]] = {
    "tanh": torch.nn.Tanh,
    "relu": torch.nn.ReLU,
    "elu": torch.nn.ELU,
    "gelu": torch.nn.GELU,
    "silu": torch.nn.SiLU,
    "leaky_relu": torch.nn.LeakyReLU,
}
_NOISES: dict[str, type[NormalActionNoise] | type[OrnsteinUhlenbeckActionNoise]] = {
    "normal": NormalActionNoise,
    "ornstein-uhlenbeck": OrnsteinUhlenbeckActionNoise,
}
_NOT_FOR_THE_MODEL = ("n_timesteps", "n_envs", "normalize", "noise_type", "noise_std")


def _normalised(envs: VecEnv, hyperparameters: Mapping[str, Any]) -> VecEnv:
    """Returns `envs`, behind running statistics where the hyperparameters ask so."""
    choice = hyperparameters.get("normalize", False)
    if choice is False:
        return envs
    parts = {} if choice is True else choice
    return VecNormalize(envs, gamma=hyperparameters.get("gamma", 0.99), **parts)


def _make_learner(
    algorithm: str,
    envs: VecEnv,
    hyperparameters: Mapping[str, Any],
    *,
    seed: int,
    device: str,
) -> Learner:
    """Returns a fresh model; the process's global generators are seeded by it.

    Args:
        algorithm: a name in `ALGORITHMS`.
        envs: what it will learn in.
        hyperparameters: checked plain data.
        seed: of weights, exploration and environments.
        device: as torch names it.
    """
    arguments = {
        name: _number_or_schedule(value)
        for name, value in hyperparameters.items()
        if name not in _NOT_FOR_THE_MODEL
    }
    if "policy_kwargs" in arguments:
        arguments["policy_kwargs"] = _policy_kwargs(arguments["policy_kwargs"])
    if "noise_type" in hyperparameters:
        arguments["action_noise"] = _noise(hyperparameters, envs.action_space)
    arguments.setdefault("policy", "MlpPolicy")
    model = ALGORITHMS[algorithm].model
    try:
        return model(env=envs, seed=seed, device=device, **arguments)
    # What Stable-Baselines3 and its networks say of values that do not go together.
    except (AssertionError, LookupError, TypeError, ValueError) as fault:
        reason = " ".join(f"{type(fault).__name__}: {fault}".split())
        raise InputError(
            f"{algorithm} does not take these hyperparameters together ({reason}); "
            f"change one of {', '.join(hyperparameters)}"
        ) from fault


def _planned_steps(learner: Learner, steps: int) -> int:
    """Returns how many steps a training takes that is asked for `steps`.

    It ends with a whole rollout. One of whole episodes cannot be foreseen, and counts
    as one step.
    """
    if isinstance(learner, OnPolicyAlgorithm):
        rollout = learner.n_steps * learner.n_envs
    else:
        frequency = learner.train_freq
        assert isinstance(frequency, TrainFreq)
        by_step = frequency.unit is TrainFrequencyUnit.STEP
        rollout = frequency.frequency * learner.n_envs if by_step else 1
    return -(-steps // rollout) * rollout


def _require_updates(algorithm: str, learner: Learner, steps: int) -> None:
    """Raises if a training of `steps` would end without a single update."""
    if isinstance(learner, OnPolicyAlgorithm):
        return
    if learner.learning_starts >= steps:
        raise InputError(
            f"{algorithm} begins to learn after learning_starts="
            f"{learner.learning_starts} steps, and {steps} are all there are; give "
            f"more with -n, or lower it: --hyperparams learning_starts={steps // 2}"
        )
    frequency = learner.train_freq
    assert isinstance(frequency, TrainFreq)
    if frequency.unit is TrainFrequencyUnit.EPISODE and learner.n_envs > 1:
        raise InputError(
            f"{algorithm} takes a train_freq of episodes in one environment, got "
            f"n_envs={learner.n_envs}; add --hyperparams n_envs=1"
        )


def _number_or_schedule(value: Any) -> Any:
    start = schedule_start(value)
    # A class of Stable-Baselines3's own, so that a saved model needs nothing of ours.
    return value if start is None else LinearSchedule(start, 0.0, 1.0)


def _policy_kwargs(choices: Mapping[str, Any]) -> dict[str, Any]:
    given = {name: value for name, value in choices.items() if value is not None}
    if "activation_fn" in given:
        given["activation_fn"] = _ACTIVATIONS[given["activation_fn"]]
    return given


def _noise(
    hyperparameters: Mapping[str, Any], actions: spaces.Space[Any]
) -> ActionNoise:
    assert actions.shape is not None
    deviation = np.full(actions.shape, hyperparameters.get("noise_std", 0.1))
    noise = _NOISES[hyperparameters["noise_type"]]
    return noise(np.zeros(actions.shape), deviation)
