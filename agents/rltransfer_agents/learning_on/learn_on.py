"""Learning on in the target: arms that share one replay, a guard, a last comparison."""

from typing import cast, final, get_args

from rltransfer.alignment import AcceptanceTest
from rltransfer.domain import Domain, Policy, Rollout, Transitions
from rltransfer.errors import InputError
from rltransfer.random_streams import RandomStreams
from rltransfer_agents.learning_on.admission import Admission
from rltransfer_agents.learning_on.episodes import Episodes
from rltransfer_agents.learning_on.guard import (
    FIRST_JUDGED,
    NOTHING_KNOWN,
    Answer,
    Arm,
    ArmName,
    Guard,
    KnownReturns,
    split,
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
from rltransfer_agents.learning_on.mapped_start import MappedStart, Refit
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
    refit: Refit | None = None,
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
        refit: fits its mapping anew where it earns too little; None: nothing does.
    """
    # Of a quarter of all steps: a learner acts in as many.
    admission = Admission(test, config.steps // 8)
    learning = _Learning(target, experience, config, watch, admission)
    return learning.run(mapped, tested, refit)


@final
class _Learning:
    """One course of learning on."""

    def __init__(
        self,
        target: Domain,
        experience: Transitions,
        config: LearnOnConfig,
        watch: LearningWatcher | None,
        admission: Admission,
    ) -> None:
        self._target, self._admission = target, admission
        self._config, self._watch = config, watch
        self._streams = RandomStreams(config.seed, *_USES)
        self._noise = self._streams.generator("noise")
        self._episodes = Episodes(target, self._streams.generator("resets"))
        self._until = target.budget.used + config.steps
        self._curve = MeasuredCurve(target, config, watch)
        self._experience = experience
        self._students: dict[str, Student] = {}
        self._out: list[Arm] = []

    def run(
        self, mapped: Policy | None, tested: KnownReturns, refit: Refit | None
    ) -> LearnedOn:
        """Learns, compares, and returns what came of it."""
        config, target = self._config, self._target
        strategy = STRATEGIES[config.strategy]
        floor = lowest_return(self._experience)
        seen, arms = self._experience, list[Arm]()
        teacher: Arm | None = None
        if mapped is not None:
            start = MappedStart(
                *(mapped, seen, self._episodes, config, self._curve),
                *(self._admission, refit, floor, tested),
            )
            arms = start.run(strategy, self._streams.generator("random"))
            teacher = start.best if start.best in arms else None
            seen, self._out = Transitions.join(*start.rows), start.out
        self._mapped = None if teacher is None else teacher.answer.policy
        discount = config.learner.discount
        self._units = Units.of(seen, discount)
        n_steps = N_STEPS if config.student == "dqn" else 1
        self._replay = Replay(
            target, self._units, self._mapped, discount, n_steps, config.potential
        )
        self._replay.add(seen)
        self._seen = len(seen)
        known, streams = (target, self._units, self._replay, config), self._streams
        if (
            teacher is not None
            and config.strategy != "scratch"
            and self._is_worth(teacher, strategy, floor)
        ):
            length = teacher.episode_steps
            pull = Pull(strategy, teacher.judged, floor, length, config.solved)
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

    def _is_worth(self, mapped: Arm, strategy: Strategy, floor: float) -> bool:
        """Returns whether a student of the mapped policy helps; if not, it is told."""
        solved = self._config.solved
        way = way_to_solved(mapped.mean, floor, solved)
        if way < strategy.worth:
            left_out = Arm("student", mapped.answer)
            left_out.dropped = strategy.not_worth(mapped.mean, way, solved)
            self._out.append(left_out)
        return way >= strategy.worth

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
        left = max(self._left - self._reserve, 1)
        rollout = self._episodes.judged(arm, now, left)
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
            rollouts.append(self._episodes.explored(policy, left))
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
            "transfer/arm": float(get_args(ArmName).index(arm.name)),
        }
        pull = self._students[arm.name].pull
        if pull is not None:
            scalars["transfer/hold"] = pull.weight
        self._watch.learned(scalars, self._target.budget.used)

    def _meet(self, mapped: list[Arm]) -> None:
        """Lets the first mapped policy act from where one that was fitted anew did."""
        if len(mapped) < 2:
            return
        first = mapped[0]
        while self._left > 0 and len(first.own) < FIRST_JUDGED:
            returns = self._episodes.shown(first, self._left).returns.tolist()
            self._admission.acted(returns)
            if not returns:
                break

    def _compared(self) -> LearnedOn:
        """Compares what may be the result, and returns the best."""
        arms = self._guard.arms
        self._meet(split(arms)[0])
        known = contenders([arm for arm in arms if arm.stands], self._left)
        known = acted(
            known,
            self._target,
            self._admission,
            self._until,
            self._episodes.seed(),
            self._config.final_episodes,
            usual_steps(self._experience),
            self._streams.generator("random singly"),
        )
        accepted, test = self._admission.accepted, self._admission.test
        winner = compared(known, accepted=accepted)
        if known[0].arm.name == "mapped" and not accepted and winner is not known[0]:
            refused = known[0].arm
            refused.dropped = self._admission.verdict
            self._out.append(refused)
        policy = winner.answer.policy
        self._curve.end(policy, winner.arm)
        # Of two of one arm, those of the result, else of the newest.
        last = {one.arm: one.returns for one in (*reversed(known), winner)}
        everyone = [*(arm for arm in self._out if arm not in arms), *arms]
        records = tuple(ArmRecord.of(arm, last.get(arm, ())) for arm in everyone)
        learner = policy.learner if isinstance(policy, LearnedPolicy) else None
        told = verdict(winner, known)
        curve = tuple(self._curve.points)
        who = winner.arm.name
        return LearnedOn(who, policy, learner, curve, records, told, test)


_USES = ("resets", "noise", "student", "scratch", "random", "random singly")
