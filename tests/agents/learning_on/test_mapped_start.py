"""What mapped policies show first, where what a refit returns is known."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from rltransfer.alignment import AcceptanceTest
from rltransfer.domain import Domain, Policy, StickyRandomPolicy, Transitions
from rltransfer.wrappers import StepBudget
from rltransfer_agents.learning_on import LearnedOn, LearnOnConfig, learn_on
from tests.agents.learning_on.test_learn_on import QUICK, SEEN, World, weak
from tests.worlds.line import Line, homeward
from tests.worlds.points import Chooser


def pushing(strength: float) -> Policy:
    """Returns who brings the point to 0 with so much strength."""
    return Chooser(lambda seen: (-strength * np.sign(seen)).astype(np.float32))


UNSOLVED = replace(QUICK, solved=0.0, refit_share=0.2)
"""A return that nobody reaches, and steps enough for four episodes."""


class Refits:
    """Returns known policies in turn, and notes what it was asked for."""

    def __init__(self, *policies: Policy) -> None:
        self._policies = list(policies)
        self.asked: list[tuple[Policy, int]] = []

    def __call__(self, policy: Policy, rows: Transitions) -> Policy | None:
        self.asked.append((policy, len(rows)))
        return self._policies.pop(0) if self._policies else None


def learned(
    mapped: Policy, refits: Refits, config: LearnOnConfig = UNSOLVED
) -> LearnedOn:
    world = World(config)
    return learn_on(world.domain, mapped, world.experience, config, refit=refits)


def names(found: LearnedOn) -> Sequence[str]:
    return [arm.name for arm in found.arms]


def test_one_that_earns_more_is_the_answer_and_the_first_one_stays() -> None:
    mapped, better = homeward(way=-1), homeward()
    refits = Refits(better)
    found = learned(mapped, refits)
    # After an episode of each, which begin alike.
    assert refits.asked[0] == (mapped, SEEN + 20)
    after = [point.arm for point in found.curve if point.target_steps >= SEEN + 40]
    assert "mapped" not in after and after[0] == "refitted"
    by_name = {arm.name: arm for arm in found.arms}
    assert by_name["mapped"].final_returns and by_name["refitted"].final_returns
    # It is asked again until nothing better is found.
    assert refits.asked[1][0] is better
    assert found.winner != "mapped"


def test_one_that_earns_less_is_out_and_nothing_is_fitted_any_more() -> None:
    mapped = homeward()
    refits = Refits(homeward(way=-1), homeward(way=-1))
    found = learned(mapped, refits)
    assert len(refits.asked) == 1
    out = next(arm for arm in found.arms if arm.name == "refitted")
    assert (out.episodes, out.steps) == (1, 20)
    assert out.dropped == "-38.5 against -1.5 of mapped from the same start"
    assert found.curve[0].arm == found.curve[1].arm == "mapped"


def test_the_share_of_steps_bounds_how_often_it_acts() -> None:
    class Slower:
        """Each one is a little better than the one before."""

        def __init__(self) -> None:
            self.count = 0

        def __call__(self, policy: Policy, rows: Transitions) -> Policy | None:
            del policy, rows
            self.count += 1
            return pushing(0.02 * self.count)

    refits = Slower()
    world = World(UNSOLVED)
    learn_on(world.domain, pushing(0.0), world.experience, UNSOLVED, refit=refits)
    # 20 steps each, as many as a fifth of 400 holds.
    assert refits.count == 4


@pytest.mark.parametrize("solved", [-1e9, -30.0])
def test_what_solves_the_target_is_not_fitted_anew(solved: float) -> None:
    refits = Refits(homeward())
    learned(homeward(), refits, replace(UNSOLVED, solved=solved))
    assert not refits.asked


def test_where_nothing_explains_the_rows_better_no_step_is_taken_for_it() -> None:
    refits = Refits()
    assert "refitted" not in names(learned(weak(True), refits))
    assert refits.asked


def test_a_student_learns_from_the_better_one() -> None:
    mapped, better = homeward(way=-1), homeward()
    good = World(UNSOLVED).worth(better)
    # The first one alone is worth no student.
    config = replace(UNSOLVED, solved=good + 0.1)
    alone = {arm.name: arm for arm in learned(mapped, Refits(), config).arms}
    assert alone["student"].episodes == 0
    found = learned(mapped, Refits(better), config)
    student = next(arm for arm in found.arms if arm.name == "student")
    assert student.episodes > 0


def test_a_better_one_of_a_refused_one_must_outrank_random_episodes() -> None:
    config = replace(UNSOLVED, steps=600)
    for random, stays in ((-30.0, True), (0.0, False)):
        world = World(config)
        mapped = homeward(way=-1)
        test = AcceptanceTest(np.array([random, -45.0]), np.zeros(0), 0.95)
        found = learn_on(
            *(world.domain, mapped, world.experience, config),
            test=test,
            refit=Refits(pushing(0.2)),
        )
        by_name = {arm.name: arm for arm in found.arms}
        assert str(by_name["mapped"].dropped).startswith("refused")
        assert (by_name["refitted"].dropped is None) == stays


def test_what_does_not_end_is_not_fitted_anew() -> None:
    endless = Domain(lambda: Line(limit=10_000, start=1.0), "line", StepBudget(500))
    random = StickyRandomPolicy(endless.actions, np.random.default_rng(0))
    seen = endless.collect(random, purpose="exploration", seed=0, steps=SEEN)
    refits = Refits(homeward())
    config = replace(UNSOLVED, steps=400)
    learn_on(endless, weak(True), seen.transitions, config, refit=refits)
    assert not refits.asked
