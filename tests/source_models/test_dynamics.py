from dataclasses import replace

import numpy as np
import pytest
import torch

from rltransfer.domain import Domain, StickyRandomPolicy, Transitions
from rltransfer.errors import InputError
from rltransfer.source_models import DynamicsModel, LearnConfig, learn_dynamics
from tests.worlds.points import Point

QUICK = LearnConfig(width=16, updates=400, batch_size=128)


@pytest.fixture(scope="module")
def rows() -> Transitions:
    domain = Domain(Point, "point")
    explorer = StickyRandomPolicy(domain.actions, np.random.default_rng(0))
    return domain.collect(
        explorer, purpose="exploration", seed=0, steps=2000
    ).transitions


@pytest.fixture(scope="module")
def model(rows: Transitions) -> DynamicsModel:
    return learn_dynamics(rows, QUICK, torch.Generator().manual_seed(0))


def test_a_learned_model_knows_what_each_push_does(
    model: DynamicsModel, rows: Transitions
) -> None:
    white = model.whitening.whiten(torch.zeros(4, 2))
    change, _, _ = model(white, torch.eye(4))
    moved = (change * model.scale) @ model.whitening.inverse
    pushes = torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]])
    expected = 0.25 * pushes + torch.tensor([0.05, 0.0])
    torch.testing.assert_close(moved, expected, atol=0.03, rtol=0)


def test_a_learned_model_knows_that_distance_costs(model: DynamicsModel) -> None:
    near, far = torch.tensor([[0.3, 0.0]]), torch.tensor([[2.0, 0.0]])
    north = torch.eye(4)[1:2]
    rewards = [model(model.whitening.whiten(at), north)[1].item() for at in (near, far)]
    assert rewards[0] > rewards[1] + 0.5


def test_the_model_is_affine_in_the_action(model: DynamicsModel) -> None:
    state = torch.randn(1, 2, generator=torch.Generator().manual_seed(1))
    first, second = torch.eye(4)[:1], torch.eye(4)[2:3]
    halves = [model(state, action)[0] for action in (first, second)]
    mixed = model(state, (first + second) / 2)[0]
    torch.testing.assert_close(mixed, (halves[0] + halves[1]) / 2)


def test_rare_collisions_do_not_set_the_scale(rows: Transitions) -> None:
    after = rows.next_observation.clone()
    after[::100] += 50.0
    bumped = replace(rows, next_observation=after)
    plain, rough = (
        DynamicsModel.untrained(r, 8, torch.Generator().manual_seed(0)).scale
        for r in (rows, bumped)
    )
    deviation = (bumped.next_observation - bumped.observation).std(dim=0)
    assert (rough < 0.2 * deviation / rows.observation.std(dim=0)).all()
    assert (rough >= plain).all()


def test_the_same_seed_learns_the_same_model(rows: Transitions) -> None:
    once, again = (
        learn_dynamics(rows, QUICK, torch.Generator().manual_seed(3)) for _ in range(2)
    )
    for ours, theirs in zip(once.parameters(), again.parameters(), strict=True):
        assert torch.equal(ours, theirs)


def test_a_model_without_width_is_refused() -> None:
    with pytest.raises(InputError, match="at least 1"):
        LearnConfig(width=0)
