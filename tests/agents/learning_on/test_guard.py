"""Who acts, who is out and who is the answer, by returns that are known."""

from typing import Any

import pytest

from rltransfer_agents.learning_on import guard as rules
from rltransfer_agents.learning_on.guard import Answer, Arm, ArmName, Guard
from tests.worlds.line import homeward

STEPS = 10_000


def policy() -> Any:
    return homeward()


def arm(name: ArmName, *judged: float, steps: int = 20) -> Arm:
    """Returns a learner that was judged so often, and takes what it was each time."""
    made = Arm(name, Answer(policy()))
    for one in judged:
        made.acted(steps, [one])
        made.takes(policy())
    return made


def mapped(*returns: float) -> Arm:
    made = Arm("mapped", Answer(policy(), list(returns)))
    made.acted(20, list(returns))
    return made


def evenly(mean: float, count: int = rules._WINDOW, spread: float = 0.1) -> list[float]:
    return [mean + (spread if number % 2 else -spread) for number in range(count)]


def test_a_learner_that_never_acted_comes_first() -> None:
    student, scratch = arm("student", 5.0), arm("scratch")
    assert Guard([mapped(9.0), student, scratch], STEPS).choose() is scratch


def test_the_mapped_policy_never_acts_while_learning() -> None:
    guard = Guard([mapped(9.0), arm("student", 1.0), arm("scratch", 0.0)], STEPS)
    assert {guard.choose().name for _ in range(50)} == {"student", "scratch"}


def test_the_better_learner_acts_and_the_other_is_probed() -> None:
    student, scratch = arm("student", 1.0), arm("scratch", 5.0)
    guard = Guard([mapped(9.0), student, scratch], STEPS)
    chosen = [guard.choose().name for _ in range(60)]
    assert chosen.count("student") == 60 // rules._PROBED
    assert "student" in chosen[: rules._PROBED]


def test_the_lead_goes_to_whom_becomes_better() -> None:
    student, scratch = arm("student", 1.0), arm("scratch", 5.0)
    guard = Guard([mapped(9.0), student, scratch], STEPS)
    assert guard.choose() is scratch
    for _ in range(rules._WINDOW):
        student.acted(20, [7.0])
    acts = [guard.choose() for _ in range(rules._PROBED)]
    assert acts.count(student) >= rules._PROBED - 1


def test_no_dropped_learner_acts_even_if_it_led() -> None:
    student, scratch = arm("student", 1.0), arm("scratch", 5.0)
    guard = Guard([mapped(9.0), student, scratch], STEPS)
    assert guard.choose() is scratch
    scratch.dropped = "its weights were not finite"
    assert {guard.choose() for _ in range(20)} == {student}
    assert guard.learners == [student]


def test_a_learner_explores_once_it_was_judged_and_then_in_turns() -> None:
    one = Arm("student", Answer(policy()))
    explored = []
    for _ in range(20):
        explored.append(one.explores)
        one.acted(20, [] if one.explores else [1.0])
    assert not any(explored[: rules.FIRST_JUDGED])
    assert explored[-10:].count(True) == 5


def test_its_answer_is_the_newest_that_is_no_worse() -> None:
    one = arm("student", *evenly(5.0))
    newest = policy()
    one.acted(20, [5.1])
    one.takes(newest)
    assert one.answer.policy is newest
    assert one.answer.returns == one.window


def test_a_worse_one_is_not_its_answer() -> None:
    one = arm("student", *evenly(5.0))
    kept = one.answer
    for _ in range(rules._WINDOW):
        one.acted(20, [1.0])
        one.takes(policy())
    assert one.answer is kept and kept.mean == pytest.approx(5.0, abs=0.1)


def test_one_lucky_mean_does_not_keep_out_what_came_after_it() -> None:
    one = arm("student", 4.0, 4.0, 12.0)
    lucky = one.answer.mean
    newest = policy()
    for _ in range(rules._WINDOW):
        one.acted(20, [6.0])
        one.takes(newest)
    # Below the luckiest, and within what is not sure of it.
    assert one.answer.policy is newest and one.answer.mean < lucky


def test_weights_that_no_whole_episode_judged_are_not_its_answer() -> None:
    one = arm("student", *evenly(5.0))
    kept = one.answer
    one.acted(7, [])
    one.takes(policy())
    assert one.answer is kept


def test_few_episodes_make_no_answer() -> None:
    one = arm("student", *evenly(5.0, rules.FIRST_JUDGED - 1))
    assert one.answer.returns == [] and one.answer.mean == float("-inf")


def test_first_episodes_count_where_all_are_far_above_those_that_began_alike() -> None:
    student = Arm("student", Answer(policy()))
    guard = Guard([mapped(-900.0, -10.0), student], STEPS, floor=-1500.0)
    assert not guard.far_above_mapped(student)
    student.acted(20, [-100.0])
    # The mapped policy is 1,045 above the floor on average; a tenth of it is far.
    assert guard.far_above_mapped(student)
    newest = policy()
    student.takes(newest, early=True)
    assert student.answer.policy is newest and guard.best is student
    # As good where both began near the goal: not far above.
    student.acted(20, [-9.0])
    assert not guard.far_above_mapped(student)


def test_an_early_answer_gives_way_to_what_was_judged_often_enough() -> None:
    one = Arm("student", Answer(policy()))
    for earned in (9.0, 5.0, 5.0):
        one.acted(20, [earned])
        one.takes(policy(), early=True)
    assert one.answer.returns == [9.0, 5.0, 5.0]


def test_the_mapped_policy_is_best_unless_a_learner_is_clearly_above_it() -> None:
    better, scratch = arm("student", *evenly(5.0)), arm("scratch", *evenly(1.0))
    for own, best in ((4.0, "student"), (5.0, "mapped"), (4.99, "mapped")):
        assert Guard([mapped(own, own), better, scratch], STEPS).best.name == best


def test_without_a_mapped_policy_the_better_learner_is_best() -> None:
    scratch = arm("scratch", *evenly(1.0))
    assert Guard([scratch], STEPS).best is scratch
    unknown = Guard([mapped(-50.0), arm("student"), arm("scratch")], STEPS)
    assert unknown.best.name == "mapped"


def fight(student: float, scratch: float, episodes: int, steps: int) -> Guard:
    """Returns a guard that looked after each of so many judged episodes of both."""
    arms = [mapped(9.0), arm("student"), arm("scratch")]
    guard = Guard(arms, STEPS)
    for number in range(episodes):
        for one, mean in zip(arms[1:], (student, scratch), strict=True):
            one.acted(steps, [mean + (0.1 if number % 2 else -0.1)])
            one.takes(policy())
            guard.drop()
    return guard


@pytest.mark.parametrize("behind", ["student", "scratch"])
def test_a_learner_that_is_measurably_behind_is_dropped(behind: str) -> None:
    means = (1.0, 5.0) if behind == "student" else (5.0, 1.0)
    guard = fight(*means, episodes=8 * rules._WINDOW, steps=100)
    assert len(guard.learners) == 1 and guard.learners[0].name != behind
    dropped = next(one for one in guard.arms if one.name == behind)
    assert dropped.dropped is not None
    other = guard.learners[0].name
    assert "1.0 against 5.0" in dropped.dropped and other in dropped.dropped
    assert dropped.stands  # what it was stays a possible answer


def test_none_is_dropped_before_it_had_its_chance() -> None:
    episodes = 8 * rules._WINDOW
    few = int(rules._CHANCE * STEPS / (2 * episodes + 2))
    assert len(fight(1.0, 5.0, episodes, few - 1).learners) == 2
    assert len(fight(1.0, 5.0, episodes, 4 * few).learners) == 1


def test_equal_ones_both_go_on() -> None:
    assert len(fight(3.0, 3.0, 60, 100).learners) == 2


def test_one_bad_stretch_is_not_enough() -> None:
    assert len(fight(1.0, 5.0, rules._WINDOW, 1000).learners) == 2


def test_the_last_learner_is_never_dropped_for_being_behind() -> None:
    guard = fight(1.0, 5.0, 40, 100)
    left = guard.learners[0]
    for _ in range(40):
        left.acted(100, [-90.0])
        guard.drop()
    assert guard.learners == [left]


def test_who_was_dropped_before_it_was_judged_does_not_stand() -> None:
    judged = arm("student", 1.0)
    new = Arm("student", judged.answer)
    assert judged.stands and new.stands
    new.dropped = judged.dropped = "its weights were not finite"
    assert judged.stands and not new.stands


def test_a_clone_explores_before_it_is_judged() -> None:
    one = Arm("student", Answer(policy()), clone=True)
    explored = []
    for _ in range(8):
        explored.append(one.explores)
        one.acted(20, [] if one.explores else [1.0])
    assert explored == [True, False] * 4


def test_one_that_earned_more_from_the_same_start_did_not_fall() -> None:
    one = arm("student", 1.0, 9.0, 8.0)
    for earned, kept in ((2.0, False), (1.5, True)):
        # Below the median of the two before it; only the second below its like too.
        before = one.answer.policy
        one.acted(20, [earned])
        one.takes(policy())
        assert (one.answer.policy is before) == kept


def test_without_a_new_episode_nothing_new_is_judged() -> None:
    one = arm("student", 1.0, 9.0, 8.0)
    one.acted(20, [])  # cut off by the budget
    one.takes(policy())
    assert one.answer.returns == [1.0, 9.0, 8.0]


def test_starts_come_again_three_times_before_others_do() -> None:
    starts = [rules.start_of(episode) for episode in range(10)]
    assert starts == [(0, 0), (0, 1), (0, 2)] * 3 + [(1, 0)]


def test_at_equal_starts_gaps_tell_and_not_how_much_the_starts_differ() -> None:
    # Five more everywhere, where the starts differ by hundreds.
    above = arm("student", -5.0, -295.0, -115.0)
    guard = Guard([mapped(-10.0, -300.0, -120.0), above], STEPS)
    assert guard.best is above
    # As much on average, but not everywhere.
    unsure = arm("student", -40.0, -200.0, -175.0)
    guard = Guard([mapped(-10.0, -300.0, -120.0), unsure], STEPS)
    assert guard.best.name == "mapped"
    # The third start of the mapped policy is not known.
    guard = Guard([mapped(-10.0, -300.0), above], STEPS)
    assert guard.best.name == "mapped"


def test_the_better_mapped_policy_is_the_answer_until_a_learner_is_above_both() -> None:
    poor, refitted = mapped(1.0, 1.0, 1.0), mapped(5.0, 5.0, 5.0)
    refitted.name = "refitted"
    student = arm("student", 4.0, 4.5, 4.0)
    guard = Guard([poor, refitted, student], STEPS)
    assert guard.best is refitted and guard.learners == [student]
    assert not guard.far_above_mapped(student)
    assert Guard([poor, student], STEPS).best is student
