"""How learning on is done, and what can be asked for."""

from dataclasses import dataclass, field
from typing import final

import numpy as np
from gymnasium import Space, spaces

from rltransfer.errors import InputError
from rltransfer_agents.learning_on.learner_config import LearnerConfig
from rltransfer_agents.learning_on.potential import Potential
from rltransfer_agents.learning_on.strategies import STRATEGIES

STUDENTS = ("td3", "sac", "dqn", "ppo")
_CONTINUOUS, _DISCRETE = ("td3", "sac", "ppo"), ("dqn", "ppo")
_ON_POLICY = ("hold", "kickstart", "scratch")
"""Strategies that reach a student which learns from its own draws alone."""


@final
@dataclass(frozen=True)
class LearnOnConfig:
    """How learning on is done."""

    seed: np.random.SeedSequence
    strategy: str
    student: str
    steps: int
    """In the target, the last comparison included; a hard limit."""
    solved: float = -np.inf
    """Mean return that counts as solved: below it the mapped policy is left faster."""
    points: int = 20
    """Of the curve, evenly over the steps."""
    evaluation_episodes: int = 20
    evaluation_seed: int = 0
    learner: LearnerConfig = field(default_factory=LearnerConfig)
    mapped_share: float = 0.05
    """Of the steps, in which the mapped policy acts first: what it earns is known then,
    and the student has seen it act."""
    mapped_episodes: int = 5
    """The most of them."""
    refit_share: float = 0.15
    """Of the steps, in which mappings that are fitted anew act at the start, as far as
    the steps of an episode are known before."""
    random_share: float = 0.1
    """The most of the steps in which actions are random, where too few such episodes
    are known to compare the mapped policy with."""
    final_share: float = 0.1
    """Of the steps, kept for the last comparison."""
    final_episodes: int = 20
    """The most for each who takes part in it."""
    clone_updates: int = 5_000
    """The most; cloning ends where it no longer comes nearer on held-out rows."""
    critic_updates: int = 1_000
    """Before the actor moves."""
    first_updates: float = 2.0
    """That learners make for each row that was seen before."""
    most_first_updates: int = 10_000
    updates: tuple[int, int] = (4, 1)
    """Of every learner for each step, at first and later: with few rows more can be
    learned from each."""
    first_rows: int = 10_000
    """After which it is later."""
    potential: Potential | None = None
    """What shapes the rewards of a student whose strategy asks for it."""


def require_student(
    student: str | None,
    strategy: str,
    env_id: str,
    actions: Space[object],
) -> str:
    """Returns the algorithm of the student; the usual one where None is named.

    Raises:
        InputError: there is no such student or strategy, or it cannot act there.
    """
    if strategy not in STRATEGIES:
        raise InputError(
            f"--strategy is one of {', '.join(STRATEGIES)}, got {strategy!r}; choose "
            "one"
        )
    if strategy == "ibrl" and isinstance(actions, spaces.Discrete):
        raise InputError(
            f"--strategy ibrl needs continuous actions, {env_id} has {actions}: among "
            "choices the best is never rated below the mapped policy's; choose another"
        )
    able = _DISCRETE if isinstance(actions, spaces.Discrete) else _CONTINUOUS
    if student is None:
        return able[0]
    if student not in STUDENTS:
        raise InputError(
            f"--student is one of {', '.join(STUDENTS)}, got {student!r}; choose one"
        )
    if student not in able:
        raise InputError(
            f"{student} cannot act in {env_id} with {actions}; --student "
            f"{' or '.join(able)} can"
        )
    if student == "ppo" and strategy not in _ON_POLICY:
        raise InputError(
            f"--student ppo learns from its own draws alone, --strategy {strategy} "
            f"would not reach it; choose {' or '.join(_ON_POLICY)}, or another student"
        )
    return student


_LEAST_EPISODES, _USUAL_LIMIT = 10, 200


def require_learning_steps(steps: int, episode_limit: int | None) -> None:
    """Raises unless so many steps let the guard tell the arms apart.

    Args:
        steps: left for learning on.
        episode_limit: steps after which episodes are truncated, if that is known.
    """
    least = _LEAST_EPISODES * (episode_limit or _USUAL_LIMIT)
    if steps < least:
        raise InputError(
            f"learning on needs at least {least:,} target steps after alignment, "
            f"{_LEAST_EPISODES} episodes, to tell what helps, got {steps:,}; raise -n "
            "or lower --alignment-steps"
        )
