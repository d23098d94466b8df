"""Several sources in one target: the right one is kept, and every step counts."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from rltransfer.alignment import Alignment, SourceModelData, align
from rltransfer.alignment.source_race import rungs
from rltransfer.domain import Domain, Policy
from rltransfer.wrappers import StepBudget
from tests.worlds.points import Chooser, Point

from .conftest import HASTY
from .test_align import AWAY, STILL, Confused

EAST = Chooser(lambda seen: np.zeros(seen.shape[:-1], int))


FEW = replace(HASTY, without="matched,responses,history,residual")
"""The same sensors are all it takes here."""


def named(model_data: SourceModelData, name: str, policy: Policy) -> SourceModelData:
    """Returns the same world with another agent."""
    source = replace(model_data.source, policy=policy, name=name)
    return replace(model_data, source=source)


@pytest.fixture
def four(model_data: SourceModelData) -> list[SourceModelData]:
    """Three useless sources whose model explains the target as well, and a good one."""
    useless = {"still": STILL, "away": AWAY, "east": EAST}
    others = [named(model_data, name, policy) for name, policy in useless.items()]
    return [*others, model_data]


def raced(
    sources: Sequence[SourceModelData], budget: int = 1500, seed: int = 1, **world: Any
) -> Alignment:
    target = Domain(lambda: Point(**world), "target", StepBudget(budget))
    return align(sources, target, replace(FEW, seed=seed))


def names(found: Alignment, sources: Sequence[SourceModelData]) -> list[str]:
    """Returns the names of the sources that were kept."""
    pairs = zip(sources, found.sources, strict=True)
    return [source.source.name for source, evidence in pairs if evidence.kept]


def test_the_worse_half_drops_out_and_the_beam_is_shared_by_the_others() -> None:
    assert list(rungs(1, 4)) == [(1, 4)]
    assert list(rungs(2, 4)) == [(2, 2), (1, 4)]
    assert list(rungs(3, 4)) == [(3, 1), (2, 2), (1, 4)]
    assert list(rungs(4, 4)) == [(4, 1), (2, 2), (1, 4)]
    # Where the beam gives none a further candidate, they drop out by what is known.
    assert list(rungs(8, 2)) == [(8, 1), (4, 1), (2, 1), (1, 2)]


@pytest.mark.parametrize("seed", range(2))
def test_of_four_sources_the_one_that_is_good_is_kept(
    four: list[SourceModelData], seed: int
) -> None:
    order = np.random.default_rng(seed).permutation(4)
    shuffled = [four[place] for place in order]
    found = raced(shuffled, seed=seed)
    assert names(found, shuffled) == ["home"] == [found.model_data.source.name]
    assert found.policy.policy is four[-1].source.policy


def test_exploring_is_shared_and_every_step_is_booked_once(
    four: list[SourceModelData],
) -> None:
    found, alone = raced(four), raced(four[-1:])
    budget = found.target.budget
    assert budget.used <= 1500
    assert budget.taken["exploration"] == alone.target.budget.taken["exploration"]
    explored = budget.taken["exploration"]
    own = [one.target_steps for one in found.sources]
    assert all(own) and explored + sum(own) == budget.used == len(found.experience)
    first = alone.experience[:explored].observation
    assert torch.equal(found.experience[:explored].observation, first)
    # Random episodes are compared with those of one mapping, whatever came before.
    assert found.acceptance.confidence == FEW.confidence


def test_what_was_seen_of_a_source_that_dropped_out_is_told(
    four: list[SourceModelData],
) -> None:
    found = raced(four)
    home = found.sources[-1].trial_return
    for one in found.sources[:-1]:
        assert not one.kept and one.trials == 1
        assert one.candidate is not None and np.isfinite(one.candidate.alignment_error)
        assert one.trial_return is not None and home is not None
        assert one.trial_return < home
    assert {trial.candidate.source for trial in found.trials} == {3}


def test_where_steps_run_short_the_least_likely_source_does_not_act(
    four: list[SourceModelData],
) -> None:
    # A random episode takes 100 steps, and half of the budget is explored.
    found = raced(four, budget=400, limit=100, radius=0.0)
    assert found.target.budget.used <= 400
    trials = [one.trials for one in found.sources]
    assert 0 in trials and sum(trials) >= 1
    idle = found.sources[trials.index(0)]
    assert idle.trial_return is None and idle.candidate is not None
    assert idle.target_steps == 0


def test_a_source_to_which_every_fit_diverges_costs_no_step(
    model_data: SourceModelData,
) -> None:
    astray = replace(model_data, model=Confused())
    found = raced([astray, model_data])
    diverged, kept = found.sources
    assert kept.kept and diverged.candidate is None
    assert (diverged.trials, diverged.target_steps) == (0, 0)


def test_the_same_seed_keeps_the_same_source_and_mapping(
    four: list[SourceModelData],
) -> None:
    once, again = raced(four[2:], 700), raced(four[2:], 700)
    for name, value in once.policy.translation.state.state_dict().items():
        assert torch.equal(value, again.policy.translation.state.state_dict()[name])
    np.testing.assert_array_equal(once.acceptance.returns, again.acceptance.returns)
