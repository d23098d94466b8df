"""Worlds whose mapping is known: what is found must be it, or be refused."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from rltransfer.alignment import (
    AlignConfig,
    Alignment,
    Source,
    SourceModelData,
    align,
    align_each,
    learn_source_model,
)
from rltransfer.domain import Domain
from rltransfer.errors import EnvironmentFault, InputError
from rltransfer.source_models import LearnConfig
from rltransfer.wrappers import StepBudget
from tests.worlds.points import Broken, Home, Point

QUICK = AlignConfig(
    restarts=16,
    updates=200,
    batch_size=128,
    source_steps=3000,
    learning=LearnConfig(width=32, updates=600, batch_size=256),
)
MIRRORED = ((0.0, 2.0), (1.0, 0.0))  # a reflection: its determinant is below zero
STRETCHED = ((0.6, -1.2), (1.6, 0.3), (0.1, 1.0))


@pytest.fixture(scope="module")
def model_data() -> SourceModelData:
    torch.set_num_threads(1)
    return learn_source_model(Source(Domain(Point, "point"), Home(), "home"), QUICK)


def aligned(
    model_data: SourceModelData, budget: int = 1500, seed: int = 0, **world: object
) -> Alignment:
    target = Domain(lambda: Point(**world), "target", StepBudget(budget))  # type: ignore[arg-type]
    return align(model_data, target, replace(QUICK, seed=seed))


def at_home(model_data: SourceModelData) -> float:
    source = model_data.source
    return float(source.domain.evaluate(source.policy, episodes=20, seed=50).mean())


@pytest.mark.parametrize(
    "world",
    [
        {"sensors": MIRRORED},
        {"sensors": STRETCHED},
        {"sensors": MIRRORED, "continuous": True},
    ],
    ids=["mirrored", "three sensors for two", "other motors"],
)
def test_unknown_sensors_and_motors_are_found(
    model_data: SourceModelData, world: dict[str, object]
) -> None:
    found = aligned(model_data, **world)
    returns = found.target.evaluate(found.policy, episodes=20, seed=50)
    assert found.acceptance.accepted, found.acceptance.verdict
    # Acting at random costs about 20; at home it is about 3.
    assert returns.mean() > at_home(model_data) - 1.5


def test_the_same_world_takes_the_identity_at_once(model_data: SourceModelData) -> None:
    found = aligned(model_data)
    assert found.chosen.candidate.family == "identity"
    assert len(found.trials) == 1
    assert found.acceptance.accepted


def test_the_same_sensors_need_only_an_action_map(model_data: SourceModelData) -> None:
    found = aligned(model_data, continuous=True)
    assert found.chosen.candidate.family in ("same sensors", "affine")
    assert found.acceptance.accepted


def test_the_budget_is_hard_and_every_step_is_booked(
    model_data: SourceModelData,
) -> None:
    found = aligned(model_data, budget=700, sensors=MIRRORED)
    meter = found.target.meter
    assert meter.used <= 700
    assert set(meter.taken) == {"exploration", "selection", "proof"}
    seen = sum(len(trial.rollout.transitions) for trial in found.trials)
    assert meter.taken["selection"] == seen


def test_the_same_seed_finds_the_same_mapping(model_data: SourceModelData) -> None:
    once, again = (aligned(model_data, sensors=MIRRORED, seed=3) for _ in range(2))
    weights = [found.policy.translation.state.state_dict() for found in (once, again)]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
    np.testing.assert_array_equal(once.acceptance.returns, again.acceptance.returns)


def test_a_policy_that_is_no_better_than_random_is_refused(
    model_data: SourceModelData,
) -> None:
    class Away:
        def predict(
            self,
            observation: object,
            state: object = None,
            episode_start: object = None,
            deterministic: bool = False,
        ) -> tuple[object, object]:
            gains = np.asarray(observation) @ Point.MOVES.T
            return gains.argmax(axis=-1), state

    astray = replace(model_data, source=replace(model_data.source, policy=Away()))
    found = aligned(astray, sensors=MIRRORED)
    assert not found.acceptance.accepted
    assert found.acceptance.verdict.startswith("refused: not better than random")


def test_a_budget_too_small_for_one_round_is_refused(
    model_data: SourceModelData,
) -> None:
    with pytest.raises(InputError, match=r"at least 400 target steps, got 399: raise"):
        aligned(model_data, budget=399)


def test_no_random_episode_within_the_budget_is_refused_in_words(
    model_data: SourceModelData,
) -> None:
    found = aligned(model_data, budget=400, sensors=MIRRORED, limit=10**6, radius=0.0)
    assert not found.acceptance.accepted
    assert "before one random episode did" in found.acceptance.verdict


def test_actions_that_are_counted_otherwise_are_translated(
    model_data: SourceModelData,
) -> None:
    found = aligned(model_data, start=1)
    assert found.chosen.candidate.family == "identity"
    assert found.target.action_space.contains(found.policy.predict(np.zeros(2))[0])


def test_a_target_without_a_budget_is_refused(model_data: SourceModelData) -> None:
    with pytest.raises(InputError, match="needs a hard budget"):
        align(model_data, Domain(Point, "target"), QUICK)


def test_a_fault_in_the_target_is_named_and_its_steps_are_counted(
    model_data: SourceModelData,
) -> None:
    target = Domain(lambda: Broken("reward", at=30), "Broken-v0", StepBudget(800))
    with pytest.raises(EnvironmentFault, match="step 30: reward is not finite: nan"):
        align(model_data, target, QUICK)
    assert target.meter.used == 29


def test_of_several_sources_the_one_that_works_is_kept(
    model_data: SourceModelData,
) -> None:
    class Still:
        def predict(
            self,
            observation: object,
            state: object = None,
            episode_start: object = None,
            deterministic: bool = False,
        ) -> tuple[object, object]:
            return np.zeros(np.shape(observation)[:-1], int), state

    useless = Source(Domain(Point, "point"), Still(), "still")
    targets = [
        Domain(lambda: Point(MIRRORED), "target", StepBudget(800)) for _ in range(2)
    ]
    ranked = align_each([useless, model_data.source], targets, QUICK)
    assert [found.model_data.source.name for found in ranked] == ["home", "still"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"restarts": 0},
        {"exploration_share": 0.0},
        {"exploration_share": 0.5, "acceptance_share": 0.5},
        {"termination_weight": -1.0},
        {"source_steps": 10},
    ],
)
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(InputError, match="must"):
        AlignConfig(**wrong)  # type: ignore[arg-type]
