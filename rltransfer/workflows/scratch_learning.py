"""Learning from scratch with the learners of learning on: what transfer must beat."""

import numpy as np

from rltransfer.domain import StickyRandomPolicy
from rltransfer.random_streams import RandomStreams
from rltransfer.workflows.environments import EnvironmentChoice, domain_of
from rltransfer.wrappers import StepBudget
from rltransfer_agents.learning_on import CurvePoint, LearnOnConfig, learn_on
from rltransfer_agents.training.training_run import isolated

_EXPLORED = 1_000
"""Random steps before anything is learned; all count."""


def learn_from_scratch(
    target: EnvironmentChoice,
    student: str,
    steps: int,
    *,
    seed: int,
    points: int,
    evaluation_episodes: int,
    evaluation_seed: int,
) -> tuple[CurvePoint, ...]:
    """Returns the learning curve of a learner that knows nothing before.

    Args:
        target: where it learns.
        student: its algorithm, of `rltransfer_agents.learning_on.STUDENTS`.
        steps: that it may take; all of them are counted.
        seed: of all that is drawn.
        points: of the curve.
        evaluation_episodes: behind each point; they choose nothing.
        evaluation_seed: of their first reset.
    """
    streams = RandomStreams(seed, "exploration", "learning")
    with isolated():
        domain = domain_of(target, budget=StepBudget(steps))
        try:
            random = StickyRandomPolicy(
                domain.actions, np.random.default_rng(streams.sequence("exploration"))
            )
            seen = domain.collect(
                random,
                purpose="exploration",
                seed=streams.integer("exploration"),
                steps=min(_EXPLORED, steps // 10),
            )
            config = LearnOnConfig(
                seed=streams.sequence("learning"),
                strategy="scratch",
                student=student,
                steps=steps - domain.budget.used,
                points=points,
                evaluation_episodes=evaluation_episodes,
                evaluation_seed=evaluation_seed,
            )
            return learn_on(domain, None, seen.transitions, config).curve
        finally:
            domain.close()
