"""Learning on in the target: arms that share one replay, a guard, a last comparison."""

from typing import cast, final

from rltransfer.alignment import AcceptanceTest
from rltransfer.domain import Domain, Policy, Rollout, Transitions
from rltransfer.errors import InputError
from rltransfer.random_streams import INTEGER_SEEDS, RandomStreams
from rltransfer_agents.learning_on.admission import Admission
from rltransfer_agents.learning_on.guard import (
    FIRST_JUDGED,
    NOTHING_KNOWN,
    Answer,
    Arm,
    ArmName,
    Guard,
    KnownReturns,
)
from rltransfer_agents.learning_on.last_comparison import (
    acted,
    compared,
    contenders,
    steps_to_keep,
    verdict,
)
from rltransfer_agents.learning_on.learn_on_config import LearnOnConfig
from rltransfer_agents.learning_on.learned import (
    ArmRecord,
    LearnedOn,
    LearningWatcher,
)
from rltransfer_agents.learning_on.learner import LearnedPolicy, Learner
from rltransfer_agents.learning_on.measured_curve import MeasuredCurve
from rltransfer_agents.learning_on.q_learner import N_STEPS
from rltransfer_agents.learning_on.replay import Replay, Units
from rltransfer_agents.learning_on.strategies import (
    STRATEGIES,
    Exploring,
    Pull,
    Strategy,
    way_to_solved,
)
from rltransfer_agents.learning_on.students import (
    Student,
    lowest_return,
    new_student,
    usual_steps,
)


def learn_on(
    target: Domain,
    mapped: Policy | None,
    experience: Transitions,
    config: LearnOnConfig,
    watch: LearningWatcher | None = None,
    tested: KnownReturns = NOTHING_KNOWN,
    test: AcceptanceTest | None = None,
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
        tested: what the mapped policy earned before; it need not show that again.
        test: that is yet to accept it, see `Admission`; None if it is accepted.
    """
    # Of a quarter of all steps: a learner acts in as many.
    admission = Admission(test, config.steps // 8)
    return _Learning(target, mapped, experience, config, watch, admission).run(tested)


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
        admission: Admission,
    ) -> None:
        self._target, self._mapped, self._admission = target, mapped, admission
        self._config, self._watch = config, watch
        self._streams = RandomStreams(config.seed, *_USES)
        self._resets, self._noise = map(self._streams.generator, ("resets", "noise"))
        self._starts = self._resets.integers(INTEGER_SEEDS, size=_STARTS)
        self._until = target.budget.used + config.steps
        self._curve = MeasuredCurve(target, config, watch)
        self._experience = experience
        self._students: dict[str, Student] = {}
        self._out: list[Arm] = []

    def run(self, tested: KnownReturns) -> LearnedOn:
        """Learns, compares, and returns what came of it."""
        config, target = self._config, self._target
        rows, arms = [self._experience], []
        if self._mapped is not None:
            first = Arm("mapped", Answer(self._mapped), tested)
            self._curve.measure(first)
            rows += self._mapped_acts(first)
            if not self._admission.behind:
                rows += self._random_acts()
            if self._admission.hopeless(first.episode_steps):
                self._mapped = None
                self._refuse(first)
            else:
                arms.append(first)
        seen = Transitions.join(*rows)
        discount = config.learner.discount
        self._units = Units.of(seen, discount)
        n_steps = N_STEPS if config.student == "dqn" else 1
        self._replay = Replay(
            target, self._units, self._mapped, discount, n_steps, config.potential
        )
        self._replay.add(seen)
        self._seen = len(seen)
        floor = lowest_return(self._experience)
        known, streams = (target, self._units, self._replay, config), self._streams
        strategy = STRATEGIES[config.strategy]
        if (
            arms
            and config.strategy != "scratch"
            and self._is_worth(arms[0], strategy, floor)
        ):
            length = arms[0].episode_steps
            pull = Pull(strategy, arms[0].judged, floor, length, config.solved)
            student = new_student(*known, streams.generator("student"), pull)
            self._students["student"] = student
        self._students["scratch"] = new_student(*known, streams.generator("scratch"))
        for name, student in self._students.items():
            answer = Answer(self._policy(student.learner.copy()))
            arms.append(Arm(cast(ArmName, name), answer, clone=student.clone))
        self._guard = Guard(arms, config.steps, floor)
        self._drop_diverged()
        self._curve.measure(self._guard.best)
        while self._left > self._reserve and self._guard.learners:
            self._episode(self._guard.choose())
            self._guard.drop()
            self._curve.measure(self._guard.best)
        return self._compared()

    @property
    def _reserve(self) -> int:
        """Steps to keep for the last comparison."""
        return steps_to_keep(self._guard.arms, self._config, self._admission)

    @property
    def _left(self) -> int:
        return self._until - self._target.budget.used

    def _mapped_acts(self, arm: Arm) -> list[Transitions]:
        """Acts with the mapped policy; returns the rows."""
        config = self._config
        steps = round(config.mapped_share * config.steps)
        rows: list[Transitions] = []
        # One episode at least: without any it could not be compared.
        while not arm.judged or (
            arm.shown < steps
            and len(arm.judged) < config.mapped_episodes
            and not self._admission.behind
        ):
            # One that does not end leaves steps to learn from.
            most = min(self._left // 2, self._admission.longest or self._left)
            rollout = self._judged(arm, arm.answer.policy, most)
            rows.append(rollout.transitions)
            arm.acted(len(rollout.transitions), rollout.returns.tolist())
            arm.answer.returns += rollout.returns.tolist()
            self._admission.acted(rollout.returns.tolist())
            self._curve.measure(arm)
            if not len(rollout.returns):
                break
        return rows

    def _random_acts(self) -> list[Transitions]:
        """Returns rows of acting at random, if any are needed."""
        rollout = self._admission.act_at_random(
            self._target,
            round(self._config.random_share * self._config.steps),
            int(self._resets.integers(INTEGER_SEEDS)),
            self._streams.generator("random"),
        )
        return [] if rollout is None else [rollout.transitions]

    def _is_worth(self, mapped: Arm, strategy: Strategy, floor: float) -> bool:
        """Returns whether a student of the mapped policy helps; if not, it is told."""
        solved = self._config.solved
        way = way_to_solved(mapped.mean, floor, solved)
        if way < strategy.worth:
            left_out = Arm("student", mapped.answer)
            left_out.dropped = strategy.not_worth(mapped.mean, way, solved)
            self._out.append(left_out)
        return way >= strategy.worth

    def _refuse(self, mapped: Arm) -> None:
        test = self._admission.test
        mapped.dropped = None if test is None else test.verdict
        self._out.append(mapped)

    def _acted(self, policy: Policy, steps: int, seed: int) -> Rollout:
        """Returns one counted episode, which may be cut off by the budget."""
        return self._target.collect(
            policy, purpose="learning", seed=seed, steps=steps, episodes=1
        )

    def _judged(self, arm: Arm, policy: Policy, steps: int) -> Rollout:
        """Returns an episode to judge an arm by; where it begins depends on no arm."""
        known = len(arm.own)
        start = self._starts[known // _LOOKS % len(self._starts), known % FIRST_JUDGED]
        return self._acted(policy, steps, int(start))

    def _policy(self, learner: Learner) -> LearnedPolicy:
        return LearnedPolicy(learner, self._units, self._target.actions)

    def _episode(self, arm: Arm) -> None:
        """Lets an arm act, and all that learn learn from it."""
        student = self._students[arm.name]
        explored, rollouts = arm.explores, self._acts(arm, student)
        rows = Transitions.join(*(rollout.transitions for rollout in rollouts))
        begun = len(self._replay)
        self._replay.add(rows)
        for rollout in rollouts if explored else ():
            end = begun + len(rollout.transitions)
            student.learner.drew(range(begun, end))
            begun = end
        few = len(self._replay) - self._seen < self._config.first_rows
        updates = self._config.updates[0 if few else 1]
        for one in self._guard.learners:
            learner = self._students[one.name]
            for _ in range(updates * len(rows)):
                learner.learner.update(self._replay, learner.guidance)
        self._drop_diverged()
        for rollout in rollouts:
            self._say(arm, rollout)

    def _acts(self, arm: Arm, student: Student) -> list[Rollout]:
        """Returns the next episode of an arm, or as many as its learner needs."""
        if arm.explores:
            return self._explores(arm, student)
        now = self._policy(student.learner.copy())
        rollout = self._judged(arm, now, max(self._left - self._reserve, 1))
        judged = rollout.returns.tolist()
        arm.acted(len(rollout.transitions), judged)
        if judged and student.pull is not None:
            student.pull.earned(judged[0], len(rollout.transitions))
        arm.takes(now, early=self._guard.far_above_mapped(arm))
        return [rollout]

    def _explores(self, arm: Arm, student: Student) -> list[Rollout]:
        """Returns an episode that is for learning, or as many as the learner needs."""
        policy, rollouts, steps = self._exploring(student), list[Rollout](), 0
        # An odd number, so that one is judged next.
        while len(rollouts) % 2 == 0 or steps < student.learner.draws:
            left = self._left - self._reserve
            if rollouts and left <= 0:
                break
            seed = int(self._resets.integers(INTEGER_SEEDS))
            rollouts.append(self._acted(policy, left, seed))
            arm.acted(len(rollouts[-1].transitions), [])
            steps += len(rollouts[-1].transitions)
            self._curve.measure(self._guard.best)
        return rollouts

    def _drop_diverged(self) -> None:
        """Drops learners whose numbers are not finite: they never become so again.

        Raises:
            InputError: nothing is left that could be the result.
        """
        arms, used = self._guard.arms, self._target.budget.used
        for arm in self._guard.learners:
            if not self._students[arm.name].learner.finite:
                arm.dropped = f"its weights were not finite after {used:,} steps"
        if not any(arm.stands for arm in arms):
            raise InputError(
                f"learning on must stay finite, in {self._target.name} "
                f"{arms[0].name} diverged: {arms[0].dropped}; scale its observations "
                "and rewards to usual sizes, or choose another --student"
            )

    def _exploring(self, student: Student) -> Policy:
        strategy = STRATEGIES[self._config.strategy] if student.pull else None
        return Exploring(
            *(student.learner, self._units, self._target, self._noise),
            *(self._mapped, strategy, student.pull),
        )

    def _say(self, arm: Arm, rollout: Rollout) -> None:
        if self._watch is None or not len(rollout.returns):
            return
        scalars = {
            "rollout/ep_rew_mean": rollout.mean_return,
            "rollout/ep_len_mean": float(len(rollout.transitions)),
            "transfer/arm": float(self._guard.arms.index(arm)),
        }
        pull = self._students[arm.name].pull
        if pull is not None:
            scalars["transfer/hold"] = pull.weight
        self._watch.learned(scalars, self._target.budget.used)

    def _compared(self) -> LearnedOn:
        """Compares what may be the result, and returns the best."""
        arms = self._guard.arms
        known = contenders([arm for arm in arms if arm.stands], self._left)
        known = acted(
            known,
            self._target,
            self._admission,
            self._until,
            int(self._resets.integers(INTEGER_SEEDS)),
            self._config.final_episodes,
            usual_steps(self._experience),
            self._streams.generator("random singly"),
        )
        accepted = self._admission.accepted
        winner = compared(known, accepted=accepted)
        if known[0].arm.name == "mapped" and not accepted and winner is not known[0]:
            self._refuse(known[0].arm)
        policy = winner.answer.policy
        self._curve.end(policy, winner.arm)
        # Of two of one arm, those of the result, else of the newest.
        last = {one.arm.name: one.returns for one in (*reversed(known), winner)}
        everyone = [*(arm for arm in self._out if arm not in arms), *arms]
        records = tuple(ArmRecord.of(arm, last.get(arm.name, ())) for arm in everyone)
        learner = policy.learner if isinstance(policy, LearnedPolicy) else None
        told = verdict(winner, known)
        curve = tuple(self._curve.points)
        who, test = winner.arm.name, self._admission.test
        return LearnedOn(who, policy, learner, curve, records, told, test)


_USES = ("resets", "noise", "student", "scratch", "random", "random singly")
_LOOKS, _STARTS = 3 * FIRST_JUDGED, (1_000, FIRST_JUDGED)
"""Judged episodes of an arm that begin in turns at the same few starts, which may
matter more than who acts, before others take their place: nobody shall learn these by
heart.
"""
