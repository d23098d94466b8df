"""The learner of a training and its environments, made from plain data."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, final

import numpy as np
import torch
from gymnasium import spaces
from stable_baselines3.common.noise import (
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
from rltransfer_agents.training.hyperparameters import schedule_start
from rltransfer_agents.training.train_config import TrainConfig
from rltransfer_agents.training.vector_env import VectorEnv
from rltransfer_envs.making import make


@final
@dataclass(frozen=True, eq=False)
class Prepared:
    """What a training needs before there is a folder for it."""

    learner: Learner
    total_steps: int
    """As asked: schedules end here."""
    planned_steps: int
    """What the training will take: it ends with a whole rollout."""
    evaluation_envs: VectorEnv
    evaluation_seed: int
    report_seed: int
    """Not that of the evaluations, which choose the best agent."""
    seeds_ignored: bool
    """Whether two resets with one seed show different observations."""


@contextmanager
def prepare(
    config: TrainConfig, hyperparameters: Mapping[str, Any]
) -> Iterator[Prepared]:
    """Holds a learner in its environments, and those that it is evaluated in.

    Raises:
        InputError: the learner does not take the hyperparameters, or would not learn.
    """
    with ExitStack() as stack:
        timeout = stack.enter_context(StepTimeout(config.step_seconds).active())
        evaluation_envs, envs = (
            stack.enter_context(closing(_vector_env(config, count, purpose, timeout)))
            for count, purpose in (
                (config.evaluation_episodes, "evaluation"),
                (hyperparameters.get("n_envs", 1), "training"),
            )
        )
        learner = _make_learner(config, envs, hyperparameters)
        total = config.steps or hyperparameters["n_timesteps"]
        planned = _planned_steps(config.algorithm, learner, total)
        streams = RandomStreams(config.seed, "evaluation", "report")
        seed = config.evaluation_seed
        if seed is None:
            seed = streams.integer("evaluation")
        first, again = (evaluation_envs.reset_some([0], [seed]) for _ in range(2))
        yield Prepared(
            learner,
            total,
            planned,
            evaluation_envs,
            evaluation_seed=seed,
            report_seed=streams.integer("report"),
            seeds_ignored=not np.array_equal(first, again),
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


def _make_learner(
    config: TrainConfig, envs: VecEnv, hyperparameters: Mapping[str, Any]
) -> Learner:
    """Returns a fresh model; the process's global generators are seeded by it."""
    normalize = hyperparameters.get("normalize", False)
    if normalize is not False:
        parts = {} if normalize is True else dict(normalize)
        if not isinstance(envs.observation_space, spaces.Box):
            parts["norm_obs"] = False  # numbers of states have no mean
        envs = VecNormalize(envs, gamma=hyperparameters.get("gamma", 0.99), **parts)
    arguments = {
        name: _number_or_schedule(value)
        for name, value in hyperparameters.items()
        if name not in _NOT_FOR_THE_MODEL
    }
    choices = arguments.get("policy_kwargs")
    if choices is not None:
        given = {name: value for name, value in choices.items() if value is not None}
        if "activation_fn" in given:
            given["activation_fn"] = _ACTIVATIONS[given["activation_fn"]]
        arguments["policy_kwargs"] = given
    if "noise_type" in hyperparameters:
        shape = envs.action_space.shape
        assert shape is not None
        deviation = np.full(shape, hyperparameters.get("noise_std", 0.1))
        noise = _NOISES[hyperparameters["noise_type"]]
        arguments["action_noise"] = noise(np.zeros(shape), deviation)
    arguments.setdefault("policy", "MlpPolicy")
    model = ALGORITHMS[config.algorithm].model
    try:
        # The seed as it is: with one seed SB3 and RL Zoo train the same agent.
        return model(env=envs, seed=config.seed, device=config.device, **arguments)
    # What Stable-Baselines3 and its networks say of values that do not go together.
    except (AssertionError, LookupError, TypeError, ValueError) as fault:
        reason = " ".join(f"{type(fault).__name__}: {fault}".split())
        raise InputError(
            f"{config.algorithm} does not take these hyperparameters together "
            f"({reason}); change one of {', '.join(hyperparameters)}"
        ) from fault


def _planned_steps(algorithm: str, learner: Learner, steps: int) -> int:
    """Returns how many steps a training takes that is asked for `steps`.

    It ends with a whole rollout. One of whole episodes cannot be foreseen, and counts
    as one step.

    Raises:
        InputError: it would end without a single update.
    """
    if isinstance(learner, OnPolicyAlgorithm):
        rollout = learner.n_steps * learner.n_envs
        return -(-steps // rollout) * rollout
    frequency = learner.train_freq
    assert isinstance(frequency, TrainFreq)
    by_step = frequency.unit is TrainFrequencyUnit.STEP
    rollout = frequency.frequency * learner.n_envs if by_step else 1
    planned = -(-steps // rollout) * rollout
    if learner.learning_starts >= planned:
        raise InputError(
            f"{algorithm} begins to learn after learning_starts="
            f"{learner.learning_starts} steps, and {planned} are all there are; give "
            f"more with -n, or lower it: --hyperparams learning_starts={planned // 2}"
        )
    if not by_step and learner.n_envs > 1:
        raise InputError(
            f"{algorithm} takes a train_freq of episodes in one environment, got "
            f"n_envs={learner.n_envs}; add --hyperparams n_envs=1"
        )
    return planned


def _number_or_schedule(value: Any) -> Any:
    start = schedule_start(value)
    # A class of Stable-Baselines3's own, so that a saved model needs nothing of ours.
    return value if start is None else LinearSchedule(start, 0.0, 1.0)
