"""Worlds whose mapping is known: what is found must be it, or be refused."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from rltransfer.alignment import (
    AlignConfig,
    Alignment,
    Source,
    SourceModelData,
    align,
)
from rltransfer.alignment.step_plan import StepPlanConfig
from rltransfer.domain import Domain, Whitening
from rltransfer.errors import EnvironmentFault, InputError
from rltransfer.mapping import Affine, Prediction
from rltransfer.wrappers import StepBudget
from tests.worlds.points import Broken, Chooser, Point

from .conftest import HASTY, MIRRORED, QUICK, Align

STRETCHED = ((0.6, -1.2), (1.6, 0.3), (0.1, 1.0))


AWAY = Chooser(lambda seen: (seen @ Point.MOVES.T).argmax(axis=-1))
STILL = Chooser(lambda seen: np.zeros(seen.shape[:-1], int))


def require_found(found: Alignment) -> None:
    source = found.model_data.source
    home = source.domain.evaluate(source.policy, episodes=20, seed=50).mean()
    returns = found.target.evaluate(found.policy, episodes=20, seed=50)
    assert found.acceptance.accepted, found.acceptance.verdict
    # Acting at random costs about 20; at home it is about 3.
    assert returns.mean() > home - 1.5


def test_a_mirror_image_is_found(mirrored: Alignment) -> None:
    require_found(mirrored)


@pytest.mark.parametrize(
    "world",
    [{"sensors": STRETCHED}, {"sensors": MIRRORED, "continuous": True}],
    ids=["three sensors for two", "other motors"],
)
def test_unknown_sensors_and_motors_are_found(
    aligned: Align, world: dict[str, object]
) -> None:
    require_found(aligned(**world))


def test_the_same_world_takes_the_identity_at_once(aligned: Align) -> None:
    found = aligned()
    assert found.chosen.candidate.family.name == "identity"
    assert len(found.trials) == 1
    assert found.acceptance.accepted


def test_the_budget_is_hard_and_every_step_is_booked(mirrored: Alignment) -> None:
    budget = mirrored.target.budget
    assert budget.used <= 1500
    assert set(budget.taken) == {"exploration", "selection", "acceptance"}
    seen = sum(len(trial.rollout.transitions) for trial in mirrored.trials)
    assert budget.taken["selection"] == seen


def test_every_step_is_handed_on_as_the_target_shows_it(mirrored: Alignment) -> None:
    rows = mirrored.experience
    assert len(rows) == mirrored.target.budget.used
    inside = rows.episode[1:] == rows.episode[:-1]
    assert torch.equal(rows.observation[1:][inside], rows.next_observation[:-1][inside])
    first = mirrored.trials[0].rollout.transitions.observation[0]
    assert (rows.observation == first).all(dim=1).any()


def test_the_same_seed_finds_the_same_mapping(aligned: Align) -> None:
    config = replace(HASTY, seed=3)
    once, again = (aligned(config, budget=700, sensors=MIRRORED) for _ in range(2))
    weights = [found.policy.translation.state.state_dict() for found in (once, again)]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
    np.testing.assert_array_equal(once.acceptance.returns, again.acceptance.returns)


def test_a_policy_that_is_no_better_than_random_is_refused(
    aligned: Align, model_data: SourceModelData
) -> None:
    astray = replace(model_data, source=replace(model_data.source, policy=AWAY))
    acceptance = aligned(source=astray, budget=1000).acceptance
    assert not acceptance.accepted
    assert acceptance.verdict.startswith("refused: not better than random")


def test_a_budget_too_small_for_one_round_is_refused(aligned: Align) -> None:
    with pytest.raises(InputError, match=r"at least 400 target steps, got 399: raise"):
        aligned(budget=399)


def test_no_random_episode_within_the_budget_is_refused_in_words(
    aligned: Align,
) -> None:
    endless = aligned(HASTY, budget=400, sensors=MIRRORED, limit=10**6, radius=0.0)
    assert not endless.acceptance.accepted
    assert "before one random episode did" in endless.acceptance.verdict


def test_actions_that_are_counted_otherwise_are_translated(aligned: Align) -> None:
    found = aligned(start=1)
    assert found.chosen.candidate.family.name == "identity"
    # Policies count from 0: a push by another number would go astray, not fail.
    assert set(np.ravel(found.policy.predict(Point.MOVES)[0])) == set(range(4))
    require_found(found)


def test_families_that_are_left_out_propose_nothing(aligned: Align) -> None:
    config = replace(HASTY, without="identity,affine,tuned")
    found = aligned(config, budget=700)
    families = {trial.candidate.family.name for trial in found.trials}
    assert families and families.isdisjoint({"identity", "affine", "tuned"})


@pytest.mark.parametrize(
    "without",
    [
        "responces",
        "identity,board,matched,responses,history,retraced,same sensors,affine,"
        "signed permutation,residual,leftover motors,tuned",
    ],
    ids=["a typo", "all of them"],
)
def test_unknown_families_and_all_of_them_cannot_be_left_out(
    aligned: Align, without: str
) -> None:
    with pytest.raises(InputError, match="some candidate families of identity, boar"):
        aligned(replace(HASTY, without=without))


def test_a_target_without_a_budget_is_refused(model_data: SourceModelData) -> None:
    with pytest.raises(InputError, match="needs a hard budget"):
        align([model_data], Domain(Point, "target"), QUICK)


def test_a_fault_in_the_target_is_named_and_its_steps_are_counted(
    model_data: SourceModelData,
) -> None:
    target = Domain(lambda: Broken("reward", at=30), "Broken-v0", StepBudget(800))
    with pytest.raises(EnvironmentFault, match="step 30: reward is not finite: nan"):
        align([model_data], target, QUICK)
    assert target.budget.used == 29


class Confused:
    """Predicts what is not a number."""

    def __init__(self) -> None:
        self.whitening = Whitening(torch.zeros(2), torch.eye(2), torch.eye(2))
        self.scale = torch.full((2,), float("nan"))
        self.gain = Affine.of(torch.zeros(2, 8), torch.zeros(8))
        self.numbers = {"scale": self.scale}

    def predict(self, state: torch.Tensor, action: torch.Tensor) -> Prediction:
        nothing = (state * float("nan")).sum(dim=-1) + action.sum(dim=-1)
        return Prediction(state * nothing.unsqueeze(-1), nothing, nothing)

    def standardised(self, rows: Any) -> Any:
        return rows


def test_where_every_mapping_diverges_none_is_kept(
    model_data: SourceModelData,
) -> None:
    target = Domain(lambda: Point(MIRRORED), "target", StepBudget(900))
    with pytest.raises(InputError, match="no candidate family proposes a mapping"):
        align([replace(model_data, model=Confused())], target, HASTY)
    assert set(target.budget.taken) == {"exploration"}


def test_a_source_in_which_nothing_happens_is_refused() -> None:
    still = Domain(lambda: Point(np.zeros((2, 2))), "still")
    with pytest.raises(InputError, match="must show what happens in it"):
        align(
            [Source(still, STILL, "still")],
            Domain(Point, "target", StepBudget(800)),
            replace(HASTY, source_steps=300),
        )


@pytest.mark.parametrize(
    "wrong", [{"restarts": 0}, {"termination_weight": -1.0}, {"source_steps": 10}]
)
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="must"):
        AlignConfig(**wrong)


@pytest.mark.parametrize(
    "wrong",
    [
        {"exploration_share": 0.0},
        {"exploration_share": 0.5, "acceptance_share": 0.5},
    ],
)
def test_shares_that_leave_nothing_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(InputError, match="must"):
        StepPlanConfig(**wrong)  # type: ignore[arg-type]
