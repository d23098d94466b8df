"""A training whose numbers grow without bounds is named, and never saved."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from stable_baselines3.common.running_mean_std import RunningMeanStd

from rltransfer.errors import EnvironmentFault, InputError, UserError
from rltransfer_agents.training.algorithms import Learner
from rltransfer_agents.training.vector_env import VectorEnv


@contextmanager
def divergence_named(learner: Learner) -> Iterator[None]:
    """Says of what ends a training that it diverged, if that is the cause."""
    try:
        yield
    except EnvironmentFault:
        envs = learner.get_env()
        assert envs is not None and isinstance(envs.unwrapped, VectorEnv)
        require_finite_actions(learner, envs.unwrapped.actions)
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


def _diverged(learner: Learner, reason: str) -> InputError:
    return InputError(
        f"training diverged by step {learner.num_timesteps}: {reason}; lower the "
        "learning_rate, what was saved before is kept"
    )
