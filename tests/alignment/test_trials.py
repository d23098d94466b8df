"""Which trial is preferred, and which candidates are worth one."""

from collections.abc import Sequence
from dataclasses import replace

import gymnasium as gym
import numpy as np
import pytest
import torch

from rltransfer.alignment import AlignConfig, SourceModelData, Trial
from rltransfer.alignment.align_config import SelectionConfig
from rltransfer.alignment.candidates import Candidate, distinct, preferred, worth_acting
from rltransfer.alignment.families import FAMILIES, LEFTOVER, TUNED
from rltransfer.alignment.problem import AlignmentProblem
from rltransfer.alignment.step_plan import BestTrial
from rltransfer.domain import Domain, Rollout, Transitions, codec_of
from rltransfer.mapping import Affine, DomainMapping
from rltransfer.translation import MappedPolicy, Translation
from tests.worlds.points import Home, Point

FAMILY = {family.name: family for family in (*FAMILIES, LEFTOVER, TUNED)}
FOUR = codec_of(gym.spaces.Discrete(4), "four")
POLICY = MappedPolicy(Home(), Translation.identity(2), FOUR, FOUR)


def candidate(
    family: str = "affine", error: float = 0.1, scale: float = 1.0
) -> Candidate:
    state = Affine.of(scale * torch.eye(2), torch.zeros(2))
    return Candidate(FAMILY[family], DomainMapping(state), error)


def rows(count: int) -> Transitions:
    zeros, flags = torch.zeros(count, 2), torch.zeros(count, dtype=torch.bool)
    return Transitions(
        flags.long(), zeros, torch.zeros(count, 4), zeros[:, 0], zeros, flags, flags
    )


def trial(
    returns: Sequence[float],
    family: str = "affine",
    error: float = 0.1,
    steps: int = 100,
    unfinished: tuple[float, int] = (0.0, 0),
) -> Trial:
    lengths = np.ones(len(returns), np.int64)
    rollout = Rollout(rows(steps), np.array(returns, np.float64), *unfinished, lengths)
    return Trial(0, candidate(family, error), POLICY, rollout, used=steps)


def order(trials: Sequence[Trial], random: Sequence[float] = (0.0, 0.0)) -> list[int]:
    ranked = preferred(trials, np.array(random), SelectionConfig())
    return [list(trials).index(one) for one in ranked]


def test_the_higher_return_goes_first_whatever_the_error() -> None:
    assert order([trial([50.0], error=0.1), trial([100.0], error=0.5)]) == [1, 0]


def test_near_the_best_the_simpler_family_goes_first() -> None:
    # 5 % of the way from 0 to 100.
    assert order([trial([100.0]), trial([96.0], "identity")]) == [1, 0]
    assert order([trial([100.0]), trial([94.0], "identity")]) == [0, 1]
    # From 90 to 100, 96 is not near.
    trials = [trial([100.0]), trial([96.0], "identity")]
    assert order(trials, random=[90.0]) == [0, 1]


def test_between_equals_the_smaller_error_goes_first() -> None:
    assert order([trial([100.0], error=0.3), trial([99.0], error=0.2)]) == [1, 0]


def test_between_equals_that_no_agreement_tells_apart_the_return_decides() -> None:
    trials = [
        trial([97.0], "leftover motors", error=0.1),
        trial([100.0], "tuned", error=0.5),
    ]
    assert order(trials) == [1, 0]


def test_only_episodes_that_all_finished_are_compared() -> None:
    # The second and third episode of one trial are easier starts than the first.
    assert order([trial([10.0, 90.0, 90.0]), trial([20.0])]) == [1, 0]


def test_an_episode_cut_short_says_nothing() -> None:
    short, whole = paid([-1.0] * 10), paid([-0.8] * 100, returns=[-80.0])
    assert order([short, whole], random=[-200.0]) == [1, 0]
    # One as long as the others is taken for what it paid so far.
    assert order([whole, paid([-0.1] * 100)], random=[-200.0]) == [1, 0]


def test_where_none_ends_early_as_many_steps_of_each_are_compared() -> None:
    # 500 steps of the first earned 40 while the second earned 30 in its first 500.
    short = paid([0.08] * 500)
    whole = paid([0.06] * 500 + [0.5] * 500, returns=[280.0])
    assert order([whole, short], random=[0.0]) == [1, 0]
    # Where one was terminated, what another had earned before says little.
    ended = replace(whole.rollout.transitions, terminated=torch.ones(1000).bool())
    whole = replace(whole, rollout=replace(whole.rollout, transitions=ended))
    assert order([whole, short], random=[0.0]) == [0, 1]


def paid(rewards: Sequence[float], returns: Sequence[float] = ()) -> Trial:
    one = trial(returns, steps=len(rewards), unfinished=(sum(rewards), len(rewards)))
    shown = replace(one.rollout.transitions, reward=torch.tensor(rewards))
    return replace(one, rollout=replace(one.rollout, transitions=shown))


def test_without_random_returns_the_worst_trial_is_the_floor() -> None:
    trials = [trial([0.0]), trial([100.0]), trial([96.0], "identity")]
    assert order(trials, random=[]) == [2, 1, 0]


def test_how_long_an_episode_is_is_told_by_those_that_finished() -> None:
    finished = trial([1.0, 2.0], steps=100, unfinished=(0.0, 20))
    assert finished.plan_facts(None) == BestTrial(40.0, finished=True)
    unfinished = trial([], steps=100, unfinished=(0.0, 100))
    assert unfinished.plan_facts(500) == BestTrial(500.0, finished=False)
    assert unfinished.plan_facts(None) == BestTrial(200.0, finished=False)


@pytest.fixture(scope="module")
def problem(model_data: SourceModelData) -> AlignmentProblem:
    seen = model_data.source.domain.collect(
        Home(), purpose="exploration", seed=0, steps=40
    )
    target = Domain(Point, "target")
    return AlignmentProblem.of(model_data, target, seen.transitions, AlignConfig())


def test_near_copies_of_a_map_are_left_out(problem: AlignmentProblem) -> None:
    first, copy, other = (candidate(scale=scale) for scale in (1.0, 1.1, -1.0))
    assert distinct(problem, [first, copy, other], 3) == [first, other]
    assert distinct(problem, [first, copy, other], 1) == [first]


def test_candidates_of_two_families_are_distinct(problem: AlignmentProblem) -> None:
    pair = [candidate("identity"), candidate("same sensors")]
    assert distinct(problem, pair, 2) == pair


def test_what_needs_no_fitting_acts_first_and_the_hopeless_not_at_all(
    problem: AlignmentProblem,
) -> None:
    least = problem.reference_error
    best = candidate("affine", error=2 * least)
    unfitted = candidate("matched", error=7 * least)
    hopeless = candidate("residual", error=9 * least)
    chosen = worth_acting(problem, [best, unfitted, hopeless], 3)
    assert chosen == [unfitted, best]


def test_the_source_as_it_is_acts_however_large_its_error(
    problem: AlignmentProblem,
) -> None:
    least = problem.reference_error
    fitted = candidate("affine", error=0.1 * least)
    unchanged = candidate("identity", error=50 * least)
    assert worth_acting(problem, [fitted, unchanged], 2) == [unchanged, fitted]


def test_where_none_explains_the_target_what_the_source_retraced_goes_first(
    problem: AlignmentProblem,
) -> None:
    least = problem.reference_error
    retraced = replace(candidate("responses", 50 * least), retraced=True)
    lost, best = candidate("affine", 2 * least), candidate("affine", 0.5 * least)
    assert worth_acting(problem, [lost, retraced], 2) == [retraced, lost]
    # It acts even where its error is far too large, though not before what explains.
    assert worth_acting(problem, [best, retraced], 2) == [best, retraced]
