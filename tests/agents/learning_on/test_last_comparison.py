"""Who is the result, by returns that are known."""

import numpy as np

from rltransfer.alignment import AcceptanceTest
from rltransfer_agents.learning_on import LearnOnConfig
from rltransfer_agents.learning_on.admission import Admission
from rltransfer_agents.learning_on.guard import Answer, Arm, ArmName
from rltransfer_agents.learning_on.last_comparison import (
    Contender,
    compared,
    contenders,
    steps_to_keep,
    verdict,
)
from tests.worlds.line import homeward


def contender(name: ArmName, before: list[float], *last: float) -> Contender:
    arm = Arm(name, Answer(homeward(), before))
    return Contender(arm, arm.answer, last)


def test_the_last_comparison_counts_and_not_what_was_earned_before() -> None:
    mapped = contender("mapped", [1.0, 1.0], *[5.0] * 5)
    lucky = contender("student", [9.0] * 5, *[4.0] * 5)
    assert compared([mapped, lucky]) is mapped
    assert "mapped 5.0 (5 episodes), student 4.0" in verdict(mapped, [mapped, lucky])


def test_where_few_episodes_were_left_what_was_earned_before_counts_too() -> None:
    mapped = contender("mapped", [1.0, 2.0], 3.0)
    better = contender("student", [9.0, 8.0, 9.0], 4.0)
    assert compared([mapped, better]) is better
    told = verdict(better, [mapped, better])
    assert "mapped 2.0 (3 episodes, 2 of them from before the final" in told
    lucky = contender("student", [9.0, 1.0, 1.0], 1.0)
    assert compared([mapped, lucky]) is mapped


def test_one_lucky_episode_of_who_was_never_judged_is_not_above_for_sure() -> None:
    mapped = contender("mapped", [5.0, 5.5, 4.5], 5.0)
    lucky = contender("student", [], 9.0)
    assert compared([mapped, lucky]) is mapped
    judged = contender("student", [9.0, 9.0], 9.0)
    assert compared([mapped, judged]) is judged


def test_what_was_picked_for_its_returns_is_never_the_result_by_them() -> None:
    mapped, student = contender("mapped", [1.0, 1.0]), contender("student", [2.0, 0.0])
    surest = Contender(student.arm, Answer(homeward(), [9.0] * 5))
    assert compared([mapped, student, surest]) is mapped
    assert compared([student, surest]) is student


def test_a_difference_within_its_error_changes_nothing() -> None:
    mapped = contender("mapped", [], 5.0, 5.0, 5.0, 5.0)
    # 0.5 better on average, with a standard error of about 1.
    about = contender("student", [], 3.5, 7.5, 4.0, 7.0)
    assert compared([mapped, about]) is mapped
    clearly = contender("student", [], 5.5, 6.5, 6.0, 6.0)
    assert compared([mapped, clearly]) is clearly


def test_only_episodes_that_all_began_alike_are_compared() -> None:
    mapped = contender("mapped", [], *[5.0] * 5)
    longer = contender("student", [], *[4.0] * 5, 900.0)
    assert compared([mapped, longer]) is mapped


def test_of_equal_ones_the_mapped_policy_is_the_result() -> None:
    known = [contender(name, [], 5.0, 5.0, 5.0) for name in ("mapped", "student")]
    assert compared(known) is known[0]
    unknown = [contender(name, []) for name in ("mapped", "student", "scratch")]
    assert compared(unknown) is unknown[0]
    assert "nothing surely better" in verdict(known[0], known)


def test_the_surest_weights_take_part_beside_the_newest() -> None:
    arm, first, newest = Arm("scratch", Answer(homeward())), homeward(), homeward()
    for earned, policy in (
        *[(5.0, first)] * 5,
        *[(9.0, newest), (1.5, newest), (9.0, newest), (1.5, newest), (9.0, newest)],
    ):
        arm.acted(20, [earned])
        arm.takes(policy)
    mapped = Arm("mapped", Answer(homeward(), [4.0, 4.0]))
    found = contenders([mapped, arm], steps=5 * 3 * 20)
    assert [one.arm for one in found] == [mapped, arm, arm]
    assert found[1].answer.policy is newest and found[2].answer.policy is first
    assert "scratch at its best 5.0 (" in verdict(found[2], found)
    # Of fewer episodes they could not be the result, so others have the steps.
    assert len(contenders([mapped, arm], steps=5 * 3 * 20 - 1)) == 2


def test_a_lone_learner_that_ended_early_is_said_to() -> None:
    alone = contender("scratch", [3.0])
    assert "alone" in verdict(alone, [alone])
    alone.arm.dropped = "its weights were not finite after 90 steps"
    assert "ended early: its weights were not finite" in verdict(alone, [alone])


def test_what_is_not_accepted_is_the_result_only_if_it_is_surely_above() -> None:
    mapped = contender("mapped", [], *[5.0] * 5)
    about = contender("scratch", [], 4.0, 6.0, 4.0, 6.0, 4.0)
    assert compared([mapped, about]) is mapped
    assert compared([mapped, about], accepted=False) is about
    worse = contender("scratch", [], *[1.0] * 5)
    assert compared([mapped, worse], accepted=False) is mapped
    assert compared([mapped], accepted=False) is mapped
    unjudged = contender("scratch", [])
    assert compared([mapped, unjudged], accepted=False) is unjudged


def test_so_many_steps_are_kept_that_an_open_test_can_be_decided() -> None:
    arms = [contender(name, []).arm for name in ("mapped", "scratch")]
    for arm in arms:
        arm.acted(40, [1.0])
    config = LearnOnConfig(np.random.SeedSequence(0), "hold", "td3", steps=1_200)
    # Five episodes of each would be 400; a sixth of 1,200 is less.
    assert steps_to_keep(arms, config, Admission(None, 0)) == 200
    test = AcceptanceTest(np.array([1.0, 2.0, 3.0]), np.zeros(0), 0.95)
    # Three of the mapped policy decide, and a learner acts in as many.
    assert steps_to_keep(arms, config, Admission(test, 150)) == 2 * 3 * 40
    assert steps_to_keep(arms[:1], config, Admission(None, 0)) == 0


def acted(name: ArmName, own: list[float], *last: float) -> Contender:
    """Returns a mapped policy that acted from the first starts."""
    one = contender(name, [], *last)
    one.arm.acted(20 * len(own), own)
    one.answer.returns += own
    return one


def test_a_mapping_that_was_fitted_anew_is_above_where_both_began_alike() -> None:
    # Starts differ by hundreds; the gaps that did not choose it are 20, 60 and 40.
    mapped = acted("mapped", [-400.0, -22.0, -310.0], -160.0)
    refitted = acted("refitted", [-340.0, -2.0, -250.0], -120.0)
    assert compared([mapped, refitted]) is refitted
    assert compared([mapped, refitted], accepted=False) is refitted
    # By how much it was above where it was chosen says nothing.
    worse = acted("refitted", [-1.0, -30.0, -320.0], -170.0)
    assert compared([mapped, worse]) is mapped
    # Two that did not choose it are too few, whatever they say.
    short = acted("mapped", [-400.0, -22.0], -160.0)
    assert compared([short, refitted]) is short


def test_what_is_refused_and_fitted_anew_must_be_surely_above_a_learner() -> None:
    mapped = acted("mapped", [-400.0, -22.0, -310.0], -160.0)
    refitted = acted("refitted", [-340.0, -2.0, -250.0], -120.0)
    about = contender("scratch", [-340.0, -3.0, -249.0], -120.5)
    assert compared([mapped, refitted, about], accepted=False) is about
    worse = contender("scratch", [-380.0, -40.0, -300.0], -150.0)
    assert compared([mapped, refitted, worse], accepted=False) is refitted


def test_a_learner_must_be_above_the_better_of_two_mapped_policies() -> None:
    mapped = acted("mapped", [-400.0, -22.0, -310.0], -160.0)
    refitted = acted("refitted", [-340.0, -2.0, -250.0], -120.0)
    scratch = contender("scratch", [-341.0, -3.0, -250.0], -121.0)
    assert compared([mapped, refitted, scratch]) is refitted
    better = contender("scratch", [-330.0, -1.0, -240.0], -110.0)
    assert compared([mapped, refitted, better]) is better
