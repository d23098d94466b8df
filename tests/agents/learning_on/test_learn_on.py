"""Learning on, whole: in a world so small that what is best is known."""

import itertools
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest

from rltransfer.alignment import AcceptanceTest
from rltransfer.domain import (
    Domain,
    Policy,
    Rollout,
    StickyRandomPolicy,
    Transitions,
)
from rltransfer.errors import InputError
from rltransfer.wrappers import StepBudget
from rltransfer_agents.learning_on import (
    STRATEGIES,
    CurvePoint,
    KnownReturns,
    LearnedOn,
    LearningWatcher,
    LearnOnConfig,
    learn_on,
    require_learning_steps,
    require_student,
)
from rltransfer_agents.learning_on.learner import LearnedPolicy
from rltransfer_agents.learning_on.learner_config import LearnerConfig
from rltransfer_agents.learning_on.students import lowest_return
from tests.worlds.line import Line, homeward
from tests.worlds.points import Chooser

SEEN = 100
"""Steps that alignment took."""
SMALL = LearnerConfig(widths=(16,), batch=32, rate=3e-3)
QUICK = LearnOnConfig(
    seed=np.random.SeedSequence(4),
    strategy="hold",
    student="td3",
    steps=400,
    points=8,
    evaluation_episodes=3,
    learner=SMALL,
    clone_updates=300,
    critic_updates=50,
    first_updates=1.0,
    updates=(1, 1),
)


class World:
    """A line in which something was seen already, and how learning went on."""

    def __init__(self, config: LearnOnConfig, start: float | None = 1.0) -> None:
        continuous = config.student != "dqn"
        self.config = config
        self.domain = Domain(
            lambda: Line(continuous=continuous, start=start),
            "line",
            StepBudget(SEEN + config.steps),
        )
        random = StickyRandomPolicy(self.domain.actions, np.random.default_rng(0))
        self.experience = self.domain.collect(
            random, purpose="exploration", seed=0, steps=SEEN
        ).transitions

    def learned(
        self, mapped: Policy | None, watch: LearningWatcher | None = None
    ) -> LearnedOn:
        return learn_on(self.domain, mapped, self.experience, self.config, watch)

    def worth(self, policy: Policy) -> float:
        """Returns what it earns where every episode begins alike."""
        return float(self.domain.evaluate(policy, episodes=3, seed=0).mean())


def weak(continuous: bool) -> Chooser:
    """Returns who goes home slowly."""
    if continuous:
        return Chooser(lambda seen: np.clip(-0.4 * seen, -2, 2).astype(np.float32))
    return homeward(False)


MEMBERS = [
    *((name, "td3") for name, one in STRATEGIES.items() if one.takes is None),
    *itertools.product(["hold", "ibrl", "jumpstart", "scratch"], ["dqn"]),
    ("hold", "sac"),
    ("kickstart", "sac"),
    *itertools.product(["hold", "kickstart", "scratch"], ["ppo"]),
]


@cache
def course(strategy: str, student: str, again: bool = False) -> tuple[World, LearnedOn]:
    del again  # another course, with all the same
    world = World(replace(QUICK, strategy=strategy, student=student))
    return world, world.learned(weak(student != "dqn"))


@pytest.fixture(params=MEMBERS, ids="-".join)
def member(request: pytest.FixtureRequest) -> tuple[str, str]:
    names: tuple[str, str] = request.param
    return names


def test_every_strategy_stays_within_the_budget(member: tuple[str, str]) -> None:
    world, learned = course(*member)
    taken = world.domain.budget.taken
    assert world.domain.budget.used <= SEEN + 400
    assert taken["learning"] > 200 and taken["final comparison"] > 0
    acted = sum(arm.steps for arm in learned.arms)
    assert acted == taken["learning"]


def test_every_curve_rises_strictly_in_steps(member: tuple[str, str]) -> None:
    world, learned = course(*member)
    steps = [point.target_steps for point in learned.curve]
    assert all(one < other for one, other in itertools.pairwise(steps))
    assert steps[0] == SEEN  # the mapped policy could come out at once
    assert steps[-1] == world.domain.budget.used
    assert len(steps) >= 6


def test_what_comes_out_is_never_below_the_mapped_policy(
    member: tuple[str, str],
) -> None:
    world, learned = course(*member)
    mapped = weak(member[1] != "dqn")
    # All episodes begin alike and nothing is drawn: one return is the worth.
    assert world.worth(learned.policy) >= world.worth(mapped) - 1e-6
    finals = {arm.name: arm.final_returns for arm in learned.arms}
    assert np.mean(finals[learned.winner]) >= np.mean(finals["mapped"]) - 1e-6
    assert learned.curve[-1].mean_return == pytest.approx(world.worth(learned.policy))
    assert learned.curve[-1].arm == learned.winner
    assert isinstance(learned.policy, LearnedPolicy) == (learned.winner != "mapped")
    assert (learned.learner is None) == (learned.winner == "mapped")


def test_the_arms_are_those_of_the_strategy(member: tuple[str, str]) -> None:
    _, learned = course(*member)
    names = [arm.name for arm in learned.arms]
    student = [] if member[0] == "scratch" else ["student"]
    assert names == ["mapped", *student, "scratch"]
    assert all(arm.steps > 0 for arm in learned.arms)


def story(learned: LearnedOn) -> Any:
    return learned.winner, learned.curve, learned.arms, learned.verdict


@pytest.mark.parametrize(
    ("strategy", "student"), [("hold", "td3"), ("jumpstart", "dqn"), ("hold", "sac")]
)
def test_the_same_seed_gives_the_same_course(strategy: str, student: str) -> None:
    (_, once), (_, again) = (course(strategy, student, same) for same in (False, True))
    assert story(once) == story(again)
    other = World(
        replace(
            QUICK, strategy=strategy, student=student, seed=np.random.SeedSequence(5)
        )
    )
    assert story(once) != story(other.learned(weak(student != "dqn")))


@pytest.mark.parametrize("student", ["td3", "dqn"])
def test_a_perfect_mapped_policy_is_not_lost(student: str) -> None:
    world = World(replace(QUICK, student=student))
    mapped = homeward(student != "dqn")
    learned = world.learned(mapped)
    assert world.worth(learned.policy) == pytest.approx(world.worth(mapped), abs=0.05)
    for point in learned.curve:
        assert point.mean_return >= world.worth(mapped) - 0.05
    if learned.winner == "mapped":
        assert learned.policy is mapped and "nothing surely better" in learned.verdict


def test_an_opposite_mapped_policy_loses() -> None:
    world = World(replace(QUICK, strategy="prefill", steps=600))
    opposite = homeward(way=-1)
    learned = world.learned(opposite)
    assert learned.winner != "mapped"
    assert world.worth(learned.policy) > world.worth(opposite) + 5
    assert "is the result" in learned.verdict


def test_refused_means_that_scratch_learns_alone_on_all_steps() -> None:
    world = World(QUICK, start=None)
    learned = world.learned(None)
    assert learned.winner == "scratch" and [arm.name for arm in learned.arms] == [
        "scratch"
    ]
    assert learned.learner is not None and "no mapped policy" in learned.verdict
    # Nobody to be compared with: every step is one to learn from.
    assert world.domain.budget.taken["learning"] == 400
    assert learned.arms[0].final_returns == ()


def test_what_alignment_saw_is_learned_from_by_all() -> None:
    config = replace(QUICK, steps=60, first_updates=3.0, strategy="prefill")
    known = World(config).learned(weak(True))
    blank = World(config)
    blank.experience = blank.experience[:1]
    assert story(known)[1:3] != story(blank.learned(weak(True)))[1:3]


def test_a_mapped_policy_that_never_ends_an_episode_takes_no_more_than_all() -> None:
    world = World(QUICK)
    world.domain = Domain(
        lambda: Line(limit=1000), "line", StepBudget(SEEN + QUICK.steps)
    )
    with world.domain.budget.purpose("exploration"):
        world.domain.budget.count(SEEN)
    mapped = homeward()
    learned = world.learned(mapped)
    assert world.domain.budget.used == SEEN + QUICK.steps
    assert learned.winner == "mapped" and learned.policy is mapped
    assert all(arm.final_returns == () for arm in learned.arms)


class Notes:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.scalars: list[tuple[int, Mapping[str, float]]] = []
        self.points: list[CurvePoint] = []

    def learned(self, scalars: Mapping[str, float], used: int) -> None:
        self.scalars.append((used, scalars))

    def evaluated(self, point: CurvePoint) -> None:
        self.points.append(point)


def test_a_watcher_hears_of_every_episode_and_point() -> None:
    world, notes = World(QUICK), Notes()
    learned = world.learned(weak(True), notes)
    used = [at for at, _ in notes.scalars]
    assert used == sorted(used)
    episodes = sum(arm.episodes for arm in learned.arms if arm.name != "mapped")
    assert episodes - 1 <= len(notes.scalars) <= episodes  # the last may be cut off
    held = [
        row["transfer/hold"] for _, row in notes.scalars if row["transfer/arm"] == 1
    ]
    assert held and all(0 < weight <= STRATEGIES["hold"].hold for weight in held)
    assert all(row["rollout/ep_len_mean"] == 20 for _, row in notes.scalars)
    # The last point may take the place of one at the same step.
    assert set(learned.curve) <= set(notes.points)


def test_what_was_tested_before_need_not_be_shown_again() -> None:
    world = World(QUICK)
    earned = world.worth(weak(True))
    tested = KnownReturns((earned,) * 3, 20.0)
    learned = learn_on(
        world.domain, weak(True), world.experience, world.config, tested=tested
    )
    mapped = learned.arms[0]
    assert (mapped.name, mapped.steps, mapped.episodes) == ("mapped", 0, 0)
    assert mapped.mean_return == pytest.approx(earned)
    assert learned.curve[0].target_steps == SEEN


def untested(*random_returns: float) -> AcceptanceTest:
    return AcceptanceTest(np.array(random_returns), np.zeros(0), 0.95)


def test_what_is_yet_to_be_accepted_is_tested_by_its_own_episodes() -> None:
    world = World(QUICK)
    mapped, test = homeward(), untested(-40.0, -38.0, -39.0)
    learned = learn_on(world.domain, mapped, world.experience, world.config, test=test)
    # It is the answer from the first step on, and is accepted by those it acted in.
    assert learned.curve[0].target_steps == SEEN and learned.curve[0].arm == "mapped"
    assert learned.acceptance is not None and learned.acceptance.accepted
    first = learned.arms[0]
    known = first.episodes + len(first.final_returns)
    assert len(learned.acceptance.returns) == known >= 3
    assert learned.acceptance.random_returns.tolist() == [-40.0, -38.0, -39.0]
    assert first.dropped is None


def test_what_is_no_better_than_random_is_out_and_scratch_learns_alone() -> None:
    world = World(QUICK)
    mapped = homeward(way=-1)
    test = untested(world.worth(mapped), 0.0, -1.0)
    learned = learn_on(world.domain, mapped, world.experience, world.config, test=test)
    assert [arm.name for arm in learned.arms] == ["mapped", "scratch"]
    assert learned.arms[0].episodes == 1 and learned.winner == "scratch"
    assert str(learned.arms[0].dropped).startswith("refused")
    assert learned.acceptance is not None and not learned.acceptance.accepted


def test_learner_and_mapped_policy_are_judged_from_the_same_starts() -> None:
    world, seeds = World(QUICK), list[int]()
    collect = world.domain.collect

    def noting(*asked: Any, **how: Any) -> Rollout:
        seeds.append(how["seed"])
        return collect(*asked, **how)

    world.domain.collect = noting  # type: ignore[method-assign]
    tested = KnownReturns((-30.0,), 5.0)
    config = replace(world.config, strategy="scratch")
    learn_on(world.domain, weak(True), world.experience, config, tested=tested)
    # The mapped policy's first episode here, and then scratch's first one.
    assert seeds[0] == seeds[1]


def test_random_episodes_that_are_missing_are_acted() -> None:
    world = World(QUICK)
    config = replace(world.config, random_share=0.2)
    learned = learn_on(
        world.domain, homeward(), world.experience, config, test=untested()
    )
    assert learned.acceptance is not None
    # Three of 20 steps, in a fifth of 400.
    assert len(learned.acceptance.random_returns) == 3


def test_a_student_of_a_poor_mapped_policy_is_not_begun_and_that_is_said() -> None:
    mapped = weak(True)
    world = World(QUICK)
    floor = lowest_return(world.experience)
    far = floor + 2 * (world.worth(mapped) - floor)
    learned = World(replace(QUICK, solved=far)).learned(mapped)
    by_name = {arm.name: arm for arm in learned.arms}
    assert by_name["student"].episodes == 0
    assert "50% of the way from" in str(by_name["student"].dropped)
    assert by_name["scratch"].episodes > 0
    # Whoever asks for another strategy gets it.
    other = World(replace(QUICK, solved=far, strategy="kickstart")).learned(mapped)
    assert {arm.name: arm.episodes for arm in other.arms}["student"] > 0


WILD = replace(QUICK, learner=replace(SMALL, rate=1e38), first_updates=1.0)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("student", ["td3", "sac", "dqn"])
def test_learners_that_diverge_are_dropped_and_the_mapped_policy_stays(
    student: str,
) -> None:
    world = World(replace(WILD, student=student, critic_updates=10))
    mapped = weak(student != "dqn")
    learned = world.learned(mapped)
    assert learned.winner == "mapped" and learned.policy is mapped
    for arm in learned.arms[1:]:
        assert arm.dropped is not None and "not finite" in arm.dropped
    assert learned.curve[-1].mean_return == pytest.approx(world.worth(mapped))
    assert all(np.isfinite(point.mean_return) for point in learned.curve)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_divergence_without_a_mapped_policy_is_an_error() -> None:
    with pytest.raises(InputError, match=r"scratch diverged: .* not finite after"):
        World(WILD).learned(None)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_what_was_judged_before_divergence_stands() -> None:
    learned = World(replace(WILD, first_updates=0.0)).learned(None)
    assert learned.winner == "scratch" and "ended early" in learned.verdict
    (scratch,) = learned.arms
    # The weights that acted then are those it began with.
    assert scratch.episodes == 1 and "not finite" in (scratch.dropped or "")


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_one_that_diverges_leaves_the_other_to_learn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # The package names the function as the page.
    page: Any = sys.modules[learn_on.__module__]
    begun: Callable[..., Any] = page.new_student

    def new_student(*known: Any) -> Any:
        made = begun(*known)
        if made.pull is not None:
            made.learner._actor.numbers[:] = np.nan
        return made

    monkeypatch.setattr(page, "new_student", new_student)
    world = World(QUICK)
    learned = world.learned(weak(True))
    _, student, scratch = learned.arms
    assert student.dropped is not None and "not finite" in student.dropped
    assert student.steps == 0 and student.final_returns == ()
    assert scratch.dropped is None and scratch.steps > 200
    assert len(scratch.final_returns) > 0


def test_no_experience_is_no_hindrance() -> None:
    world = World(replace(QUICK, steps=100))
    world.experience = Transitions.join(world.experience[:0])
    assert world.learned(weak(True)).curve[-1].target_steps <= SEEN + 100


LINE, SIDES = Line().action_space, Line(continuous=False).action_space


def asked(student: str | None, strategy: str, actions: Any) -> str:
    return require_student(student, strategy, "Line", actions)


def test_the_usual_student_fits_the_actions() -> None:
    assert asked(None, "hold", LINE) == "td3" and asked(None, "hold", SIDES) == "dqn"
    assert asked("sac", "ibrl", LINE) == "sac"


@pytest.mark.parametrize(
    ("student", "strategy", "actions", "says"),
    [
        ("dqn", "hold", LINE, "--student td3 or sac or ppo can"),
        ("td3", "hold", SIDES, "--student dqn or ppo can"),
        ("pppo", "hold", LINE, "got 'pppo'; choose one"),
        ("ppo", "ibrl", LINE, "ibrl would not reach it; choose hold or kickstart or"),
        ("ppo", "prefill", SIDES, "--student ppo learns from its own draws alone"),
        (None, "magic", LINE, "--strategy is one of hold, .* got 'magic'"),
    ],
)
def test_what_cannot_be_done_is_said_before_any_work(
    student: str | None, strategy: str, actions: Any, says: str
) -> None:
    with pytest.raises(InputError, match=says):
        asked(student, strategy, actions)


def test_too_few_steps_are_refused() -> None:
    require_learning_steps(200, 20)
    with pytest.raises(InputError, match=r"at least 200 target steps.*got 199"):
        require_learning_steps(199, 20)
    with pytest.raises(InputError, match="raise -n"):
        require_learning_steps(500, None)
