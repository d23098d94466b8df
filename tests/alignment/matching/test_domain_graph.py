"""Graphs of domains: what reordering, turning and rescaling variables does to them."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from rltransfer.alignment.matching.domain_graph import DomainGraph
from rltransfer.alignment.matching.standard_rows import Stretches
from rltransfer.alignment.matching.synthetic_systems import synthetic_pairs

FEATURES = ("even", "odd", "odd_odd", "even_odd", "even_even")


def stretches(seed: int = 0) -> Stretches:
    """Returns rows of systems with continuous actions and two observations or more."""
    rng = np.random.default_rng(seed)
    while True:
        rows = synthetic_pairs(rng, pairs=2)
        if not rows.discrete and rows.observation.shape[-1] > 2:
            return rows


def test_units_and_origins_do_not_show() -> None:
    rows = stretches()
    units = torch.linspace(0.5, 20.0, rows.observation.shape[-1])
    other = replace(
        rows,
        observation=rows.observation * units + 3.0,
        next_observation=rows.next_observation * units + 3.0,
    )
    once, again = DomainGraph.of(rows), DomainGraph.of(other)
    for name in FEATURES:
        torch.testing.assert_close(
            getattr(once, name), getattr(again, name), atol=5e-3, rtol=5e-3
        )


def test_features_go_with_order_and_sign_of_the_variables() -> None:
    rows = stretches(1)
    size, motors = rows.observation.shape[-1], rows.action.shape[-1]
    rng = np.random.default_rng(0)
    order, motor_order = rng.permutation(size), rng.permutation(motors)
    sign = torch.from_numpy(rng.choice([-1.0, 1.0], size)).float()
    motor_sign = torch.from_numpy(rng.choice([-1.0, 1.0], motors)).float()
    other = replace(
        rows,
        observation=rows.observation[..., order] * sign,
        next_observation=rows.next_observation[..., order] * sign,
        action=rows.action[..., motor_order] * motor_sign,
    )
    nodes = torch.tensor([*order, *(size + motor_order), size + motors, -1])
    signs = torch.cat([sign, motor_sign, torch.ones(2)])
    once, again = DomainGraph.of(rows), DomainGraph.of(other)
    moved = {name: getattr(once, name)[:, nodes] for name in FEATURES}
    for name in FEATURES[2:]:
        moved[name] = moved[name][:, :, nodes]
    moved["odd"] = moved["odd"] * signs[:, None]
    moved["odd_odd"] = moved["odd_odd"] * (signs[:, None] * signs)[..., None]
    moved["even_odd"] = moved["even_odd"] * signs[:, None]
    for name in FEATURES:
        torch.testing.assert_close(
            moved[name], getattr(again, name), atol=5e-3, rtol=5e-3
        )


def test_each_variable_stands_in_the_doubled_graph_as_it_is_and_turned_round() -> None:
    graph = DomainGraph.of(stretches())
    nodes, edges = graph.doubled
    n, even = len(graph.kind), graph.even.shape[-1]
    torch.testing.assert_close(nodes[:, :n, :even], nodes[:, n:, :even])
    torch.testing.assert_close(nodes[:, :n, even:], -nodes[:, n:, even:])
    odd = graph.odd_odd.shape[-1]
    torch.testing.assert_close(edges[:, :n, :n, :odd], graph.odd_odd)
    torch.testing.assert_close(edges[:, :n, n:, :odd], -graph.odd_odd)
    torch.testing.assert_close(edges[:, n:, n:, :odd], graph.odd_odd)


def test_effects_of_actions_are_told_from_the_drift() -> None:
    # x moves by 0.5 a - 0.1 x; y follows x. Only x answers an action at once.
    rng = np.random.default_rng(0)
    action = rng.uniform(-1, 1, (1000, 1))
    states = np.zeros((1001, 2))
    for step in range(1000):
        x, y = states[step]
        states[step + 1] = 0.9 * x + 0.5 * action[step, 0], y + 0.1 * (x - y)
    shown = torch.from_numpy(states).float()[None]
    rows = Stretches(
        shown[:, :-1],
        torch.from_numpy(action).float()[None],
        torch.zeros(1, 1000),
        shown[:, 1:],
        torch.zeros(1, 1000),
        torch.eye(1, 1000).bool(),
        discrete=False,
    )
    partial = DomainGraph.of(rows).odd_odd[0, 2, :2, -2]  # from the action
    assert partial[0].item() == pytest.approx(1.0, abs=0.05)
    assert partial[1].item() == pytest.approx(0.0, abs=0.1)


def test_made_up_systems_follow_from_their_seed() -> None:
    once, again, other = (
        synthetic_pairs(np.random.default_rng(seed), pairs=1) for seed in (5, 5, 6)
    )
    torch.testing.assert_close(once.observation, again.observation, rtol=0, atol=0)
    assert once.observation.shape != other.observation.shape or not torch.equal(
        once.observation, other.observation
    )
    assert bool(once.observation.isfinite().all())
    assert len(once.observation) == 2 and bool(once.begins[:, 0].all())
