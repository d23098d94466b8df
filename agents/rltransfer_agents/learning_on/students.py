"""How learners begin: as clones of the mapped policy, or from what was seen alone."""

from dataclasses import dataclass
from typing import Literal, cast, final

import numpy as np

from rltransfer.domain import Domain, Transitions
from rltransfer_agents.learning_on.actor_critic import ActorCritic
from rltransfer_agents.learning_on.learn_on_config import LearnOnConfig
from rltransfer_agents.learning_on.learner import Guidance, Learner
from rltransfer_agents.learning_on.on_policy import OnPolicy
from rltransfer_agents.learning_on.q_learner import QLearner
from rltransfer_agents.learning_on.replay import Replay, Units
from rltransfer_agents.learning_on.source_networks import Beginning, Takes
from rltransfer_agents.learning_on.strategies import STRATEGIES, Pull


@final
@dataclass(frozen=True, eq=False)
class Student:
    """A learner, and what the mapped policy has to say to it."""

    learner: Learner
    pull: Pull | None = None
    clone: bool = False
    """Whether it begins as one, and learns from a few steps of exploring."""

    @property
    def guidance(self) -> Guidance:
        """Of an update now."""
        return Guidance() if self.pull is None else self.pull.guidance


def new_student(
    target: Domain,
    units: Units,
    replay: Replay,
    config: LearnOnConfig,
    rng: np.random.Generator,
    pull: Pull | None = None,
) -> Student:
    """Returns a learner that has learned from what was seen so far.

    A clone's critic is fitted before its actor moves: with a critic that knows nothing
    the first updates would undo the cloning.

    Args:
        target: where it acts.
        units: in which it sees that.
        replay: what was seen.
        config: how it learns.
        rng: of all that it draws.
        pull: to the mapped policy; None for one that learns from scratch.
    """
    strategy = STRATEGIES["scratch" if pull is None else config.strategy]
    learner = _learner(target, units, replay, config, rng, strategy.takes)
    student = Student(learner, pull, strategy.clones and learner.draws == 1)
    if strategy.clones:
        clone(learner, replay, config, rng)
    if strategy.clones or strategy.takes is not None:
        for _ in range(config.critic_updates):
            learner.evaluate(replay, student.guidance)
        return student
    wanted = round(config.first_updates * len(replay))
    for _ in range(min(wanted, config.most_first_updates)):
        learner.update(replay, student.guidance)
    return student


def _learner(
    target: Domain,
    units: Units,
    replay: Replay,
    config: LearnOnConfig,
    rng: np.random.Generator,
    takes: Takes | None,
) -> Learner:
    """Returns a learner that begins with what its strategy takes of the source."""
    sizes = target.observation_size, target.actions.size
    known = sizes, units, config.learner, rng
    begun = None
    if takes is not None:
        begun = Beginning(takes, replay, units, config.learner, rng)
    if config.student == "ppo":
        return OnPolicy(target.actions.discrete, *known)
    if config.student == "dqn":
        return QLearner(*known, begun and begun.values(sizes[1]))
    kind = cast(Literal["td3", "sac"], config.student)
    networks = begun and begun.actor_and_critics(sizes[1], kind)
    return ActorCritic(kind, *known, networks)


_CHECKED, _PATIENCE, _NEARER, _EXACT = 100, 5, 0.98, 1e-4
"""Updates between looks at the held-out rows, looks without getting nearer before it
ends, what counts as nearer, and a mean squared error that is near enough."""


def clone(
    learner: Learner, replay: Replay, config: LearnOnConfig, rng: np.random.Generator
) -> None:
    """Clones the mapped policy, until it comes no nearer on rows that are held out."""
    places = rng.permutation(len(replay))
    held = replay.at(places[: max(1, len(places) // 10)])
    others = places[max(1, len(places) // 10) :]
    if not len(others):
        others = places
    best, waited = np.inf, 0
    for update in range(config.clone_updates):
        rows = others[rng.integers(len(others), size=config.learner.batch)]
        learner.imitate(replay.at(rows))
        if update % _CHECKED == _CHECKED - 1:
            gap = np.square(learner.actions(held.observation) - held.mapped).mean()
            waited = 0 if gap < _NEARER * best else waited + 1
            best = min(best, float(gap))
            if waited >= _PATIENCE or best < _EXACT:
                return


def lowest_return(rows: Transitions) -> float:
    """Returns the lowest return of an episode that was seen, or of a part of one."""
    returns = np.bincount(rows.episode.numpy(), rows.reward.numpy())
    return float(returns.min()) if len(returns) else 0.0


def usual_steps(rows: Transitions) -> float:
    """Returns the median length of an episode that was seen, or of a part of one."""
    lengths = np.bincount(rows.episode.numpy())
    return float(np.median(lengths[lengths > 0])) if len(rows) else np.inf
