"""Whether the mapped policy is accepted by what it earns while learning goes on."""

import numpy as np
import pytest

from rltransfer.alignment import AcceptanceTest
from rltransfer.domain import Domain
from rltransfer.wrappers import StepBudget
from rltransfer_agents.learning_on.admission import Admission
from tests.worlds.line import Line


def admission(*random_returns: float, most: int = 100) -> Admission:
    test = AcceptanceTest(np.array(random_returns), np.zeros(0), 0.95)
    return Admission(test, most)


def test_what_is_accepted_has_nothing_to_show() -> None:
    known = Admission(None, 100)
    known.acted([-9.0])
    assert known.accepted and not known.behind and not known.hopeless(20.0)
    assert known.steps(20.0) == 0
    domain = Domain(lambda: Line(continuous=True), "line", StepBudget(100))
    assert known.act_at_random(domain, 100, 0, np.random.default_rng(0)) is None
    assert domain.budget.used == 0


def test_three_of_each_decide() -> None:
    one = admission(1.0, 2.0, 3.0)
    assert one.steps(20.0) == 60 and not one.hopeless(20.0) and not one.accepted
    one.acted([4.0, 5.0, 6.0])  # the highest of all 20 orders
    assert one.accepted and one.steps(20.0) == 0


def test_one_of_too_few_that_is_not_ahead_ends_it() -> None:
    one = admission(1.0, 2.0, 3.0)
    one.acted([9.0])
    assert not one.behind
    one.acted([2.5])
    assert one.behind and one.hopeless(20.0)


def test_what_could_not_be_decided_in_the_steps_there_are_is_hopeless() -> None:
    assert not admission(1.0, 2.0, 3.0, most=60).hopeless(20.0)
    assert admission(1.0, 2.0, 3.0, most=59).hopeless(20.0)
    assert admission().hopeless(20.0)  # nothing to compare with


@pytest.mark.parametrize(("earned", "hopeless"), [(2.2, False), (2.0, True)])
def test_what_can_be_judged_stays_while_it_is_likely_better(
    earned: float, hopeless: bool
) -> None:
    one = admission(1.0, 2.0, 3.0)
    # Welch: t of 0.2 / 0.58 is not enough for 75 %, but of 1.2 / 0.58 it is.
    one.acted([earned + 1.0 * (not hopeless), earned, earned + 0.6 * (not hopeless)])
    assert one.hopeless(20.0) == hopeless
    assert not one.accepted


def test_missing_random_episodes_are_acted_within_their_steps() -> None:
    domain = Domain(lambda: Line(continuous=True), "line", StepBudget(200))
    one = admission(-30.0)
    rollout = one.act_at_random(domain, 50, 0, np.random.default_rng(0))
    # Two are missing, of 20 steps each.
    assert rollout is not None and len(rollout.returns) == 2
    assert domain.budget.used == 40
    assert one.test is not None and one.test.random_returns[0] == -30.0
    assert len(one.test.random_returns) == 3


def test_it_has_to_beat_the_better_way_to_act_at_random() -> None:
    domain = Domain(lambda: Line(continuous=True), "line", StepBudget(200))
    one = admission(-1e3, -1e3, -1e3)
    one.acted([-900.0] * 3)
    assert one.accepted  # of the way that is known
    one.act_singly(domain, 5, 200, np.random.default_rng(0))
    assert one.test is not None and domain.budget.used == 60
    assert len(one.test.random_returns) == 3 and one.test.random_returns.min() > -900
    assert not one.accepted
    # No step where no episode fits.
    one.act_singly(domain, 0, 10, np.random.default_rng(0))
    assert domain.budget.used == 60


def test_what_cannot_be_decided_is_not_lost_and_keeps_no_steps() -> None:
    # One random episode would take 19 of the mapped policy.
    one = admission(1.0, most=100)
    one.acted([2.0])
    assert not one.lost and one.hopeless(20.0) and one.steps(20.0) == 0
    assert admission(1.0, most=400).steps(20.0) == 380
    one.acted([0.5])
    assert one.lost
