"""What every kind of source model promises, on a point whose steps are known."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from rltransfer.domain import Domain, StickyRandomPolicy, Transitions
from rltransfer.errors import InputError
from rltransfer.source_models import (
    SOURCE_MODELS,
    TABULAR,
    ControlAffineModel,
    LearnConfig,
    SourceModel,
    fit_source_model,
)
from rltransfer.source_models.control_affine import DynamicsTable
from tests.worlds.points import Point

QUICK = LearnConfig(width=16, updates=400, batch_size=128)
PUSHES = torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]])


@pytest.fixture(scope="module")
def rows() -> Transitions:
    domain = Domain(Point, "point")
    explorer = StickyRandomPolicy(domain.actions, np.random.default_rng(0))
    return domain.collect(
        explorer, purpose="exploration", seed=0, steps=2000
    ).transitions


@pytest.fixture(
    scope="module", params=[kind for kind in SOURCE_MODELS if kind != TABULAR]
)
def config(request: pytest.FixtureRequest) -> LearnConfig:
    return replace(QUICK, kind=request.param)


@pytest.fixture(scope="module")
def model(rows: Transitions, config: LearnConfig) -> SourceModel:
    return fit_source_model(rows, config, torch.Generator().manual_seed(0))


def test_a_learned_model_knows_what_each_push_does(model: SourceModel) -> None:
    white = model.whitening.whiten(torch.zeros(4, 2))
    delta = model.predict(white, torch.eye(4)).delta
    moved = (delta * model.scale) @ model.whitening.inverse
    expected = 0.25 * PUSHES + torch.tensor([0.05, 0.0])
    torch.testing.assert_close(moved, expected, atol=0.03, rtol=0)


def test_a_learned_model_knows_that_distance_costs(model: SourceModel) -> None:
    near, far = model.whitening.whiten(torch.tensor([[0.3, 0.0], [2.0, 0.0]]))
    states, north = torch.stack([near, far]), torch.eye(4)[[1, 1]]
    rewards = model.predict(states, north).reward
    assert rewards[0] > rewards[1] + 0.5


def test_the_gain_is_what_a_change_of_the_action_does(model: SourceModel) -> None:
    states = torch.randn(3, 2, generator=torch.Generator().manual_seed(1))
    gain = model.gain(states).reshape(3, 2, 4)
    east, west = (torch.eye(4)[place].expand(3, 4) for place in (0, 2))
    deltas = [model.predict(states, action).delta for action in (east, west)]
    torch.testing.assert_close(
        (gain @ (east - west).unsqueeze(-1)).squeeze(-1), deltas[0] - deltas[1]
    )


def test_states_are_white_and_rewards_standard(
    model: SourceModel, rows: Transitions
) -> None:
    seen = model.standardised(rows)
    torch.testing.assert_close(
        seen.observation.T.cov(), torch.eye(2), atol=1e-3, rtol=0
    )
    assert seen.reward.std().item() == pytest.approx(1.0, abs=0.01)
    assert torch.equal(seen.episode, rows.episode)


def test_the_same_seed_learns_the_same_model(
    rows: Transitions, config: LearnConfig
) -> None:
    few = replace(config, updates=20)
    states, actions = torch.zeros(4, 2), torch.eye(4)
    once, again = (
        fit_source_model(rows, few, torch.Generator().manual_seed(3)).predict(
            states, actions
        )
        for _ in range(2)
    )
    assert all(map(torch.equal, once, again))


def test_a_kind_of_model_that_there_is_not_is_refused(rows: Transitions) -> None:
    with pytest.raises(InputError, match=r"control-affine.*got 'magic'"):
        fit_source_model(rows, LearnConfig(kind="magic"), torch.Generator())


def test_the_table_is_read_by_hand() -> None:
    # One state variable, two entries of the action: drift 1, gain (2, 3); the reward
    # is 4 + (5, 6)·a; the logit is 7.
    table = DynamicsTable(observation_size=1, action_size=2)
    outputs = torch.arange(1.0, 8.0)
    assert table.entries == len(outputs)
    prediction = table.read(outputs, torch.tensor([10.0, 100.0]))
    assert prediction.delta.tolist() == [1 + 20 + 300]
    assert prediction.reward.item() == 4 + 50 + 600
    assert prediction.termination.item() == 7
    assert outputs[table.gain_places].tolist() == [2, 3]


def test_rare_collisions_do_not_set_the_scale(rows: Transitions) -> None:
    after = rows.next_observation.clone()
    after[::100] += 50.0
    bumped = replace(rows, next_observation=after)
    plain, rough = (
        ControlAffineModel.untrained(r, QUICK, torch.Generator().manual_seed(0)).scale
        for r in (rows, bumped)
    )
    deviation = (bumped.next_observation - bumped.observation).std(dim=0)
    assert (rough < 0.2 * deviation / rows.observation.std(dim=0)).all()
    assert (rough >= plain).all()


def test_a_model_without_width_is_refused() -> None:
    with pytest.raises(InputError, match="at least 1"):
        LearnConfig(width=0)
