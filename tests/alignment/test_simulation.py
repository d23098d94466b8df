"""The source under the target's actions, and maps that explain both."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from rltransfer.alignment.response_config import ResponseConfig
from rltransfer.alignment.responses import Array, Episode
from rltransfer.alignment.simulation import (
    Simulated,
    StateMap,
    explaining_map,
    simulate,
)
from rltransfer.domain import Domain, Whitening
from tests.worlds.points import Point

CONFIG = ResponseConfig()
UNCHANGED = Whitening(torch.zeros(2), torch.eye(2), torch.eye(2))


def simulated(shown: Array, noise: float = 0.0, seed: int = 0) -> Simulated:
    """Returns walks in the plane, of each three copies, seen through `shown`."""
    rng = np.random.default_rng(seed)
    episodes, copies = [], []
    for _ in range(30):
        walks = [
            rng.normal(size=2) + np.cumsum(rng.normal(size=(20, 2)), axis=0)
            for _ in range(3)
        ]
        seen = walks[0] @ shown + 5.0
        seen = seen + noise * rng.normal(size=seen.shape)
        episodes.append(Episode(seen, np.zeros((19, 1))))
        copies.append(tuple(walks[1:] + walks[:1]))
    return Simulated(tuple(episodes), tuple(copies))


def start(shown: Array) -> StateMap:
    """Returns the true map, a little off."""
    weight = np.linalg.pinv(shown) + 0.05
    return StateMap(weight, -5.0 * weight.sum(axis=0))


def test_the_copy_that_went_like_the_target_is_found_and_the_map_is_exact() -> None:
    shown = np.array([[0.0, 2.0], [-1.0, 0.5]])
    found = explaining_map(simulated(shown), start(shown), CONFIG)
    np.testing.assert_allclose(found.weight, np.linalg.inv(shown), atol=1e-4)
    assert found.unexplained < 1e-4 and found.covered == 1.0
    assert found.settles(CONFIG)


def test_sensors_of_noise_cost_nothing() -> None:
    shown = np.array([[0.0, 2.0], [-1.0, 0.5]])
    walks = simulated(shown)
    rng = np.random.default_rng(9)
    noisy = tuple(
        replace(e, states=np.hstack([e.states, 100 * rng.normal(size=(20, 3))]))
        for e in walks.episodes
    )
    first = start(shown)
    padded = replace(first, weight=np.vstack([first.weight, np.zeros((3, 2))]))
    found = explaining_map(replace(walks, episodes=noisy), padded, CONFIG)
    np.testing.assert_allclose(found.weight[:2], np.linalg.inv(shown), atol=1e-3)
    np.testing.assert_allclose(found.weight[2:], 0.0, atol=1e-4)


def test_a_source_that_goes_elsewhere_settles_nothing() -> None:
    walks = simulated(np.eye(2))
    others = simulated(np.eye(2), seed=1).copies
    found = explaining_map(replace(walks, copies=others), start(np.eye(2)), CONFIG)
    assert found.unexplained > 0.2 and not found.settles(CONFIG)


def test_sensors_that_never_move_are_no_explanation() -> None:
    walks = simulated(np.eye(2))
    still = tuple(
        replace(e, states=np.hstack([e.states, np.ones((20, 98))]))
        for e in walks.episodes
    )
    others = simulated(np.eye(2), seed=1).copies
    first = start(np.eye(2))
    padded = replace(first, weight=np.vstack([first.weight, np.zeros((98, 2))]))
    elsewhere = replace(walks, episodes=still, copies=others)
    assert not explaining_map(elsewhere, padded, CONFIG).settles(CONFIG)


def test_short_lives_in_the_source_settle_nothing() -> None:
    walks = simulated(np.eye(2))
    short = tuple(tuple(one[:4] for one in copies) for copies in walks.copies)
    exact = StateMap(np.eye(2), np.full(2, -5.0))
    found = explaining_map(replace(walks, copies=short), exact, CONFIG)
    assert found.covered == pytest.approx(4 / 20)
    assert found.unexplained < CONFIG.enough and not found.settles(CONFIG)


def test_the_targets_actions_are_taken_in_the_source() -> None:
    source = Domain(lambda: Point(limit=5, radius=0.0), "point")
    wiring = np.eye(4)[:, [1, 0, 3, 2]]
    episodes = [Episode(np.zeros((9, 2)), np.eye(4)[[0, 0, 2, 2, 0, 0, 0, 0]])] * 2
    config = replace(CONFIG, simulated_steps=10)
    rng = np.random.default_rng(0)
    found = simulate(source, UNCHANGED, episodes, wiring, 3, config, rng)
    # Eight steps and two; the source's episodes end after five.
    assert [len(e.actions) for e in found.episodes] == [8, 2]
    assert [[len(c) for c in copies] for copies in found.copies] == [[6] * 3, [3] * 3]
    north = found.copies[0][0][1] - found.copies[0][0][0]
    np.testing.assert_allclose(north, [0.05, 0.25], atol=1e-6)
    assert source.budget.taken == {"source": 3 * 5 + 3 * 2}
