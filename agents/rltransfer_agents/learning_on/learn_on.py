"""Learning on in the target: arms that share one replay, a guard, a last comparison."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol, cast, final, runtime_checkable

import numpy as np
from gymnasium import Space, spaces

from rltransfer.domain import Domain, Policy, Rollout, Transitions
from rltransfer.errors import InputError
from rltransfer_agents.learning_on.actor_critic import ActorCritic
from rltransfer_agents.learning_on.guard import Arm, ArmName, Guard
from rltransfer_agents.learning_on.learner import (
    LearnedPolicy,
    Learner,
    LearnerConfig,
)
from rltransfer_agents.learning_on.q_learner import N_STEPS, QLearner
from rltransfer_agents.learning_on.replay import Replay, Units
from rltransfer_agents.learning_on.strategies import (
    STRATEGIES,
    Exploring,
    Pull,
    Student,
)

STUDENTS = ("td3", "sac", "dqn")
_CONTINUOUS = ("td3", "sac")


@final
@dataclass(frozen=True)
class LearnOnConfig:
    """How learning on is done."""

    seed: np.random.SeedSequence
    strategy: str
    student: str
    steps: int
    """In the target, the last comparison included; a hard limit."""
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
    updates: int = 1
    """Of every learner for each step."""


@final
@dataclass(frozen=True)
class CurvePoint:
    """What the answer was worth at some step; measured in episodes that do not count."""

    target_steps: int
    mean_return: float
    arm: str
    """Who would have been the answer."""


@final
@dataclass(frozen=True)
class ArmRecord:
    """How one arm did."""

    name: str
    episodes: int
    steps: int
    mean_return: float | None
    """Over its last counted episodes before the last comparison."""
    final_returns: tuple[float, ...]
    dropped: str | None
    """Why it was dropped, if it was."""


@final
@dataclass(frozen=True, eq=False)
class LearnedOn:
    """What came of learning on."""

    winner: ArmName
    policy: Policy
    learner: Learner | None
    """None where the mapped policy won."""
    curve: tuple[CurvePoint, ...]
    arms: tuple[ArmRecord, ...]
    verdict: str


@runtime_checkable
class LearningWatcher(Protocol):
    """Is called while learning goes on: progress bars, logs."""

    def learned(self, scalars: Mapping[str, float], used: int) -> None:
        """An episode was learned from; `used` target steps are spent so far."""

    def evaluated(self, point: CurvePoint) -> None:
        """A point of the curve was measured."""


def require_student(
    student: str | None,
    strategy: str,
    env_id: str,
    observations: Space[object],
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
    able = ("dqn",) if isinstance(actions, spaces.Discrete) else _CONTINUOUS
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


def learn_on(
    target: Domain,
    mapped: Policy | None,
    experience: Transitions,
    config: LearnOnConfig,
    watch: LearningWatcher | None = None,
) -> LearnedOn:
    """Learns on in the target from the mapped policy, and never ends up below it.

    Student and scratch share one replay; who acts is chosen by whole episodes, and who
    is the result by a last comparison in counted episodes.

    Args:
        target: its budget must allow the steps.
        mapped: the zero-shot policy; None if it was refused: scratch learns alone.
        experience: all that alignment saw in the target, as the target shows it.
        config: how.
        watch: is called while it goes on.
    """
    return _Learning(target, mapped, experience, config, watch).run()


@final
class _Learning:
    """One course of learning on."""

    def __init__(
        self,
        target: Domain,
        mapped: Policy | None,
        experience: Transitions,
        config: LearnOnConfig,
        watch: LearningWatcher | None,
    ) -> None:
        self._target, self._mapped = target, mapped
        self._config, self._watch = config, watch
        seeds = config.seed.spawn(4)
        self._resets, self._noise, self._student_rng, self._scratch_rng = map(
            np.random.default_rng, seeds
        )
        self._until = target.budget.used + config.steps
        self._every = max(1, config.steps // config.points)
        self._next_point = target.budget.used
        self._curve: list[CurvePoint] = []
        self._measured: tuple[Policy, float] | None = None
        self._experience = experience
        self._students: dict[str, Student] = {}

    def run(self) -> LearnedOn:
        """Learns, compares, and returns what came of it."""
        config, target = self._config, self._target
        arms = [] if self._mapped is None else [Arm("mapped", self._mapped)]
        rows = [self._experience]
        if arms:
            rows += self._mapped_acts(arms[0])
        seen = Transitions.join(*rows)
        discount = config.learner.discount
        self._units = Units.of(seen, discount)
        n_steps = N_STEPS if config.student == "dqn" else 1
        self._replay = Replay(target, self._units, self._mapped, discount, n_steps)
        self._replay.add(seen)
        if arms and config.strategy != "scratch":
            arms.append(Arm("student"))
            self._students["student"] = self._student(arms[0])
        arms.append(Arm("scratch"))
        self._students["scratch"] = self._scratch()
        self._guard = Guard(arms, config.steps)
        for arm in arms:
            if arm.name != "mapped":
                arm.answer = self._policy(self._students[arm.name].learner.copy())
        self._measure()
        reserve = round(config.final_share * config.steps) if len(arms) > 1 else 0
        while self._left > reserve:
            self._episode(self._guard.choose(), self._left - reserve)
            self._measure()
        return self._compared()

    @property
    def _left(self) -> int:
        return self._until - self._target.budget.used

    def _mapped_acts(self, arm: Arm) -> list[Transitions]:
        """Acts with the mapped policy; returns the rows."""
        config = self._config
        rollout = self._acted(
            self._mapped_policy,
            steps=round(config.mapped_share * config.steps),
            episodes=config.mapped_episodes,
            at_least_one=True,
        )
        for earned, steps in _episodes(rollout):
            arm.earned(earned, steps)
        return [rollout.transitions]

    @property
    def _mapped_policy(self) -> Policy:
        assert self._mapped is not None
        return self._mapped

    def _acted(
        self, policy: Policy, *, steps: int, episodes: int, at_least_one: bool = False
    ) -> Rollout:
        """Returns some counted episodes; the last one may be cut off by the budget."""
        rollout = self._target.collect(
            policy,
            purpose="learning",
            seed=int(self._resets.integers(2**31 - 2**20)),
            steps=min(steps, self._left),
            episodes=episodes,
        )
        return rollout

    def _new_learner(self, rng: np.random.Generator) -> Learner:
        target, config = self._target, self._config
        sizes = target.observation_size, target.actions.size
        if config.student == "dqn":
            return QLearner(sizes, self._units, config.learner, rng)
        kind = cast(Literal["td3", "sac"], config.student)
        return ActorCritic(kind, sizes, self._units, config.learner, rng)

    def _policy(self, learner: Learner) -> LearnedPolicy:
        return LearnedPolicy(learner, self._units, self._target.actions)

    def _student(self, mapped: Arm) -> Student:
        """Returns a student that begins as the strategy says."""
        config, replay = self._config, self._replay
        strategy = STRATEGIES[config.strategy]
        length = mapped.steps / max(1, len(mapped.returns))
        pull = Pull(strategy, mapped.mean, self._random_return, length)
        student = Student(self._new_learner(self._student_rng), pull)
        if strategy.clones:
            _clone(student.learner, replay, config, self._student_rng)
            for _ in range(config.critic_updates):
                student.learner.evaluate(replay, pull.guidance)
        else:
            for _ in range(self._first_updates):
                student.learner.update(replay, pull.guidance)
        return student

    def _scratch(self) -> Student:
        student = Student(self._new_learner(self._scratch_rng))
        for _ in range(self._first_updates):
            student.learner.update(self._replay, student.guidance)
        return student

    @property
    def _first_updates(self) -> int:
        wanted = round(self._config.first_updates * len(self._replay))
        return min(wanted, self._config.most_first_updates)

    @property
    def _random_return(self) -> float:
        """The lowest return of a whole episode seen while aligning; 0 if none is."""
        rows = self._experience
        returns = np.bincount(rows.episode.numpy(), rows.reward.numpy())
        return float(returns.min()) if len(returns) else 0.0

    def _episode(self, arm: Arm, allowed: int) -> None:
        """Lets an arm act in one episode, and all that learn learn from it."""
        student, strategy = self._students[arm.name], None
        if student.pull is not None:
            strategy = STRATEGIES[self._config.strategy]
        policy = Exploring(
            student.learner,
            self._units,
            self._target,
            self._noise,
            self._mapped,
            strategy,
            student.pull,
        )
        rollout = self._acted(policy, steps=allowed, episodes=1)
        self._replay.add(rollout.transitions)
        steps = len(rollout.transitions)
        for one in self._guard.learners:
            learner = self._students[one.name]
            for _ in range(self._config.updates * steps):
                learner.learner.update(self._replay, learner.guidance)
        if not len(rollout.returns):
            return
        earned = float(rollout.returns[0])
        if student.pull is not None:
            student.pull.earned(earned, steps)
        if self._guard.earned(arm, earned, steps):
            arm.answer = self._policy(student.learner.copy())
        self._say(arm, earned, steps)

    def _say(self, arm: Arm, earned: float, steps: int) -> None:
        if self._watch is None:
            return
        pull = self._students[arm.name].pull
        scalars = {
            "rollout/ep_rew_mean": arm.mean,
            "rollout/ep_len_mean": float(steps),
            "transfer/arm": float(
                [one.name for one in self._guard.arms].index(arm.name)
            ),
            f"transfer/return_{arm.name}": earned,
        }
        if pull is not None:
            scalars["transfer/hold"] = pull.weight
        self._watch.learned(scalars, self._target.budget.used)

    def _measure(self) -> None:
        """Measures the answer where a point of the curve is due."""
        used = self._target.budget.used
        if used < self._next_point:
            return
        self._next_point += self._every * (1 + (used - self._next_point) // self._every)
        best = self._guard.best
        assert best.answer is not None
        self._add_point(CurvePoint(used, self._worth(best.answer), best.name))

    def _add_point(self, point: CurvePoint) -> None:
        self._curve.append(point)
        if self._watch is not None:
            self._watch.evaluated(point)

    def _compared(self) -> LearnedOn:
        """Compares what may be the result, and returns the best."""
        arms = self._guard.arms
        contenders = [arm for arm in arms if arm.name == "mapped"]
        learners = [arm for arm in arms if arm.name != "mapped" and arm.judged]
        learners = learners or [arms[-1]]
        contenders.append(max(learners, key=lambda arm: arm.answer_mean))
        finals = dict.fromkeys((arm.name for arm in arms), np.zeros(0))
        if len(contenders) > 1:
            for number, arm in enumerate(contenders):
                assert arm.answer is not None
                rollout = self._target.collect(
                    arm.answer,
                    purpose="final comparison",
                    seed=int(self._resets.integers(2**31 - 2**20)),
                    steps=self._left // (len(contenders) - number),
                    episodes=self._config.final_episodes,
                )
                finals[arm.name] = rollout.returns
        # The first one wins where none is better: the mapped policy.
        winner = max(contenders, key=lambda arm: _final(arm, finals[arm.name]))
        assert winner.answer is not None
        point = CurvePoint(
            self._target.budget.used, self._worth(winner.answer), winner.name
        )
        if point.target_steps == self._curve[-1].target_steps:
            self._curve.pop()
        self._add_point(point)
        records = tuple(
            ArmRecord(
                arm.name,
                len(arm.returns),
                arm.steps,
                arm.mean if arm.returns else None,
                tuple(finals[arm.name].tolist()),
                arm.dropped,
            )
            for arm in arms
        )
        learner = (
            winner.answer.learner if isinstance(winner.answer, LearnedPolicy) else None
        )
        return LearnedOn(
            winner.name,
            winner.answer,
            learner,
            tuple(self._curve),
            records,
            _verdict(winner, contenders, finals),
        )

    def _worth(self, policy: Policy) -> float:
        # One policy in the same episodes earns the same.
        if self._measured is None or self._measured[0] is not policy:
            returns = self._target.evaluate(
                policy,
                episodes=self._config.evaluation_episodes,
                seed=self._config.evaluation_seed,
            )
            self._measured = policy, float(returns.mean())
        return self._measured[1]


def _episodes(rollout: Rollout) -> list[tuple[float, int]]:
    """Returns return and steps of each finished episode."""
    lengths = np.bincount(rollout.transitions.episode.numpy())
    return list(zip(rollout.returns.tolist(), lengths.tolist(), strict=False))


def _final(arm: Arm, returns: np.ndarray) -> float:
    return float(returns.mean()) if len(returns) else arm.mean


def _verdict(
    winner: Arm, contenders: list[Arm], finals: Mapping[str, np.ndarray]
) -> str:
    if len(contenders) < 2:
        return "scratch learned alone: there was no mapped policy to learn on from"
    told = ", ".join(
        f"{arm.name} {_final(arm, finals[arm.name]):.1f} "
        f"({len(finals[arm.name])} episodes)"
        for arm in contenders
    )
    if winner.name == "mapped":
        return f"learning on brought nothing better than the mapped policy: {told}"
    return f"{winner.name} is the result, by the last comparison: {told}"


def _clone(
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
        if update % 100 == 99:
            gap = np.square(learner.actions(held.observation) - held.mapped).mean()
            waited = 0 if gap < 0.98 * best else waited + 1
            best = min(best, float(gap))
            if waited >= 5 or best < 1e-4:
                return
