"""How much a training may take, be it typed or read from the folder of a run."""

import math
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from rltransfer.errors import InputError
from rltransfer_agents.training.config import TrainConfig

# Far above any use, and far below what makes a machine stand still.
_ROWS = 10**7
_ENVIRONMENTS = {"dummy": 1024, "subproc": 256}
_WEIGHTS = 10**8


def require_moderate(config: TrainConfig, hyperparameters: Mapping[str, Any]) -> None:
    """Raises if a training would take more memory or processes than any needs.

    Each number has its range; these are the products.
    """
    environments = hyperparameters.get("n_envs", 1)
    rollout = hyperparameters.get("n_steps", 1) * environments
    _require("steps kept at once", rollout, _ROWS, "n_steps or n_envs")
    most = _ENVIRONMENTS[config.vec_env]
    _require("environments", environments, most, "n_envs")
    # Each episode of an evaluation has an environment of its own.
    episodes = config.evaluation_episodes
    _require("environments", episodes, most, "the episodes of an evaluation")
    weights = _weights(hyperparameters.get("policy_kwargs") or {})
    _require("weights", weights, _WEIGHTS, "net_arch")


def _require(what: str, count: int, most: int, remedy: str) -> None:
    if count > most:
        raise InputError(
            f"a training has at most {most:,} {what}, got {count:,}; lower {remedy}"
        )


def _weights(network: Mapping[str, Any]) -> int:
    told = network.get("net_arch") or []
    parts = told.values() if isinstance(told, Mapping) else [told]
    return sum(math.prod(pair) for widths in parts for pair in pairwise(widths))
