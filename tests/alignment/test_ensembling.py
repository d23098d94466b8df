"""Those that acted, acting as one: two sources that each know a half of the target."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from rltransfer.alignment import (
    Alignment,
    Source,
    SourceModelData,
    align,
    learn_source_model,
)
from rltransfer.domain import Domain
from rltransfer.translation import EnsembleConfig, EnsemblePolicy, MappedPolicy
from rltransfer.wrappers import StepBudget
from tests.worlds.line import HalfLine, Line, homeward
from tests.worlds.points import Chooser

from .conftest import HASTY, QUICK, Align

PLAIN = "matched,responses,history,residual,affine,signed permutation,same sensors"
"""Left out: a map of the same sensors is all it takes here."""
FOUR = EnsembleConfig(members=4)


@pytest.fixture(scope="module")
def halves() -> list[SourceModelData]:
    """Two agents, each at home in a world that is the target on one side only."""
    torch.set_num_threads(1)
    found = []
    for side in (1.0, -1.0):

        def choose(seen: Any, side: float = side) -> Any:
            ways = homeward(), homeward(way=-1.0)
            home, away = (way.predict(seen)[0] for way in ways)
            return np.where(seen * side > 0, home, away)

        def make(side: float = side) -> HalfLine:
            return HalfLine(side)

        source = Source(Domain(make, "half"), Chooser(choose), f"half {side:+.0f}")
        found.append(learn_source_model(source, QUICK))
    return found


def aligned_line(
    sources: Sequence[SourceModelData], ensemble: EnsembleConfig, seed: int = 0
) -> Alignment:
    target = Domain(Line, "line", StepBudget(1500))
    config = replace(QUICK, without=f"{PLAIN},tuned", ensemble=ensemble, seed=seed)
    return align(sources, target, config)


def test_two_sources_that_each_know_a_half_are_accepted_together(
    halves: list[SourceModelData],
) -> None:
    home = float(halves[0].home_returns.mean())
    alone, found = (aligned_line(halves, config) for config in (EnsembleConfig(), FOUR))
    assert not alone.acceptance.accepted and isinstance(alone.policy, MappedPolicy)
    assert alone.chosen.score < 10 * home < 0  # returns are costs
    assert found.acceptance.accepted and isinstance(found.policy, EnsemblePolicy)
    assert found.acceptance.returns.mean() > 2 * home
    assert found.target.budget.used <= 1500
    assert found.owners[0] == [one.kept for one in found.sources].index(True)
    assert sorted(found.owners) == [0, 1] and found.lead is found.policy.members[0]
    assert [one.members for one in found.sources] == [1, 1]
    say = [one.say for one in found.sources]
    assert sum(say) == pytest.approx(1) and min(say) > 0.25
    assert all(one.members == one.say == 0 for one in alone.sources)


def test_each_has_its_say_where_its_source_explains_the_target(
    halves: list[SourceModelData],
) -> None:
    found = aligned_line(halves, FOUR)
    assert isinstance(found.policy, EnsemblePolicy)
    sides = np.float32([[-0.5], [0.5]])
    weights = found.policy.weights(sides)
    # The first source is right on the right.
    assert weights[found.owners.index(0), 1] > 0.9
    assert weights[found.owners.index(1), 0] > 0.9
    assert found.policy.confidence(sides).min() > 0.9


def test_the_same_seed_makes_the_same_ensemble(halves: list[SourceModelData]) -> None:
    once, again = (aligned_line(halves, FOUR, seed=2) for _ in range(2))
    rows = np.linspace(-1, 1, 21, dtype=np.float32)[:, None]
    actions = [found.policy.predict(rows)[0] for found in (once, again)]
    np.testing.assert_array_equal(*actions)
    np.testing.assert_array_equal(once.acceptance.returns, again.acceptance.returns)


def test_none_is_made_where_one_mapping_explains_all_and_earns_enough(
    aligned: Align,
) -> None:
    config = replace(HASTY, without="matched,responses,history,residual")
    found = aligned(replace(config, ensemble=FOUR))
    plain = aligned(config)
    families = [trial.candidate.family.name for trial in found.trials]
    assert "ensemble" not in families
    assert found.target.budget.used == plain.target.budget.used


def test_it_is_not_the_answer_where_it_earns_no_more(aligned: Align) -> None:
    # Mapped to itself, one of its members does all that can be done; but so that no
    # trial is held to earn enough.
    config = replace(HASTY, without="matched,responses,history,residual,tuned")
    eager = replace(config.selection, near_home=10.0)
    found = aligned(replace(config, ensemble=FOUR, selection=eager))
    families = [trial.candidate.family.name for trial in found.trials]
    assert "ensemble" in families
    assert isinstance(found.policy, MappedPolicy)
