"""What one training is asked for, and what it gives back."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, TypeAlias, final

from pydantic import AliasChoices, Field, StrictBool, StrictFloat, StrictInt

from rltransfer.argument_checks import (
    EPISODE_CAP,
    STEP_SECONDS,
    VecEnv,
    require_at_least,
    require_seed,
    require_vec_env,
)
from rltransfer.errors import InputError
from rltransfer.resume.reproducibility import Resumed
from rltransfer.wrappers import StepTimeout
from rltransfer_agents.training.algorithms import require_algorithm


@final
@dataclass(frozen=True)
class TrainConfig:
    """One agent, trained by one algorithm in one environment."""

    env_id: str
    algorithm: str
    """A name in `ALGORITHMS`."""
    log_folder: Path
    """The run's folder becomes `log_folder/algorithm/ENV_N`."""
    steps: int | None = None
    """Environment steps to learn from; by default as many as the tuned entry says."""
    seed: int = 0
    env_kwargs: Mapping[str, Any] = field(default_factory=dict)
    hyperparameters: Mapping[str, Any] = field(default_factory=dict)
    """Replace values of the tuned entry, key by key."""
    device: str = "cpu"
    tensorboard_folder: Path | None = None
    """By default the folder `tensorboard` in the run's folder."""
    evaluations: int = 20
    """How often the agent is evaluated on the way, evenly spread; 0 for never."""
    evaluation_episodes: int = 10
    evaluation_seed: int | None = None
    """Of the first episode of each evaluation; by default drawn from `seed`."""
    snapshot_seconds: float = 10.0
    """Least time between two snapshots from which an interrupted run goes on."""
    progress_seconds: float = 0.2
    """Least time between two reports of progress; not stored with the run."""
    vec_env: VecEnv = "dummy"
    """RL Zoo's words: environments in this process, or each in one of its own."""
    step_seconds: float = STEP_SECONDS
    """Longest time of one step or reset of an environment."""

    episode_cap: int = EPISODE_CAP
    """Most steps of one evaluated episode, which ends there; training episodes go on,
    for a task without an end may be trained."""

    def __post_init__(self) -> None:
        # Names are typed as Stable-Baselines3 writes them, too.
        object.__setattr__(self, "algorithm", self.algorithm.lower())
        require_algorithm(self.algorithm)
        if self.steps is not None:
            require_at_least("--n-timesteps", self.steps, 1)
        require_seed(self.seed)
        require_seed(self.evaluation_seed or 0)
        if self.evaluations < 0 or self.evaluation_episodes < 1:
            raise InputError(
                "evaluations are at least 0 and their episodes at least 1, got "
                f"{self.evaluations} and {self.evaluation_episodes}; give more"
            )
        require_vec_env(self.vec_env)
        StepTimeout(self.step_seconds)  # knows what a time must be
        require_at_least("--episode-cap", self.episode_cap, 1)
        if not self.snapshot_seconds >= 0:
            raise InputError(
                f"snapshot_seconds is at least 0, got {self.snapshot_seconds}"
            )


@final
@dataclass(frozen=True)
class TrainedRun:
    """A finished training."""

    env_id: str
    algorithm: str
    folder: Path
    steps: StrictInt
    """Taken; an algorithm ends with a whole rollout."""
    asked_steps: int
    mean_return: StrictFloat
    """Of the best agent in fresh episodes that chose nothing."""
    seconds: StrictFloat
    env_kwargs: Mapping[str, Any]
    files: tuple[Path, ...]
    """All that the training wrote."""
    resumed: Resumed
    # Version 0.1.0 called them doubts.
    reproducibility_warnings: Annotated[
        tuple[str, ...],
        Field(validation_alias=AliasChoices("reproducibility_warnings", "doubts")),
    ]
    """Why the run may differ from one that was never interrupted."""
    seeds_ignored: StrictBool = False
    """Whether the environment's resets do not follow their seed."""
    capped_episodes: StrictInt = 0
    """Evaluated episodes that reached `episode_cap`."""
    seed: StrictInt = 0
    """Of everything drawn."""

    def record(self) -> dict[str, Any]:
        """Returns what `--json` prints about it."""
        return {
            "env": self.env_id,
            "algo": self.algorithm,
            "seed": self.seed,
            "run": str(self.folder),
            "env_kwargs": dict(self.env_kwargs),
            "steps": self.steps,
            "asked_steps": self.asked_steps,
            "mean_return": self.mean_return,
            "seconds": self.seconds,
            "resumed": self.resumed,
            "reproducibility_warnings": list(self.reproducibility_warnings),
            "files": [str(path) for path in self.files],
            "seeds_ignored": self.seeds_ignored,
            "capped_episodes": self.capped_episodes,
        }


@final
@dataclass(frozen=True)
class Progress:
    """How far one training has come."""

    env_id: str
    algorithm: str
    steps: int
    total_steps: int
    """What the training will take: it ends with a whole rollout."""
    asked_steps: int
    mean_return: float | None
    """Of the last hundred training episodes, once there are some."""
    seed: int = 0


Watch: TypeAlias = Callable[[Progress], None]


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
    widths = (hyperparameters.get("policy_kwargs") or {}).get("net_arch") or []
    parts = widths.values() if isinstance(widths, Mapping) else [widths]
    weights = sum(math.prod(pair) for part in parts for pair in pairwise(part))
    most_environments = _ENVIRONMENTS[config.vec_env]
    # Each episode of an evaluation has an environment of its own.
    episodes = config.evaluation_episodes
    for what, count, most, remedy in (
        ("steps kept at once", rollout, _ROWS, "n_steps or n_envs"),
        ("environments", environments, most_environments, "n_envs"),
        ("environments", episodes, most_environments, "the episodes of an evaluation"),
        ("weights", weights, _WEIGHTS, "net_arch"),
    ):
        if count > most:
            raise InputError(
                f"a training has at most {most:,} {what}, got {count:,}; lower {remedy}"
            )
