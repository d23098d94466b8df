"""A turning point, pushed at random: with and without noise in what is seen of it."""

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from rltransfer.alignment.sensor_noise import NoiseConfig, is_noisy
from rltransfer.domain import Transitions
from rltransfer.errors import InputError

CONFIG = NoiseConfig()
STEPS, EPISODES = 40, 10
Array = NDArray[np.float64]


def turned(bounces: bool = False) -> tuple[Array, Array]:
    """Returns states and pushes of some episodes; of one that bounces, off a wall."""
    rng = np.random.default_rng(0)
    turn = np.array([[0.95, 0.25], [-0.25, 0.95]])
    states = [rng.normal(size=(EPISODES, 2))]
    pushes = rng.choice([-1.0, 1.0], size=(STEPS, EPISODES, 1))
    for push in pushes:
        state = states[-1] @ turn.T + 0.2 * push * np.array([0.0, 1.0])
        if bounces:
            state[:, 1] = np.where(state[:, 0] < -1, 2.0, state[:, 1])
        states.append(state)
    return np.stack(states, axis=1), pushes.swapaxes(0, 1)


def rows(states: Array, pushes: Array) -> Transitions:
    before, after = (
        torch.from_numpy(part.reshape(-1, states.shape[2])).float()
        for part in (states[:, :-1], states[:, 1:])
    )
    episodes, steps = pushes.shape[:2]
    count = episodes * steps
    return Transitions(
        torch.arange(episodes).repeat_interleave(steps),
        before,
        torch.from_numpy(pushes.reshape(count, -1)).float(),
        torch.zeros(count),
        after,
        torch.zeros(count, dtype=torch.bool),
        torch.arange(1, count + 1) % steps == 0,
    )


@pytest.mark.parametrize(
    ("noise", "noisy"), [(0.0, False), (0.01, False), (0.1, True), (0.3, True)]
)
def test_noise_is_told_by_its_size_beside_a_step(noise: float, noisy: bool) -> None:
    states, pushes = turned()
    disturbed = states + noise * np.random.default_rng(1).normal(size=states.shape)
    assert is_noisy(rows(disturbed, pushes), CONFIG) is noisy


def test_a_world_that_is_not_linear_at_times_is_not_noisy() -> None:
    assert not is_noisy(rows(*turned(bounces=True)), CONFIG)


@pytest.mark.parametrize("kind", ["useless", "redundant", "still"])
def test_sensors_that_add_nothing_are_not_noise(kind: str) -> None:
    states, pushes = turned()
    drawn = np.random.default_rng(1).normal(size=(*states.shape[:2], 1))
    added = {
        "useless": drawn,
        "redundant": states.sum(axis=2, keepdims=True),
        "still": np.full_like(drawn, 3.0),
    }
    shown = np.concatenate([states, added[kind]], axis=2)
    assert not is_noisy(rows(shown, pushes), CONFIG)


@pytest.mark.parametrize("steps", [1, 6, 30])
def test_nothing_is_said_of_too_few_steps(steps: int) -> None:
    states, pushes = turned()
    disturbed = states + 0.3 * np.random.default_rng(1).normal(size=states.shape)
    assert not is_noisy(rows(disturbed[:1, : steps + 1], pushes[:1, :steps]), CONFIG)


def test_of_many_sensors_it_is_not_asked() -> None:
    states, pushes = turned()
    disturbed = states + 0.3 * np.random.default_rng(1).normal(size=states.shape)
    assert not is_noisy(rows(disturbed, pushes), NoiseConfig(most=2))
    assert is_noisy(rows(disturbed, pushes), NoiseConfig(most=3))


@pytest.mark.parametrize(
    "wrong",
    [
        {"window": 0},
        {"stretch": 0},
        {"folds": 1},
        {"ridges": ()},
        {"ridges": (0.0,)},
        {"useless": 1.5},
        {"least": 0.0},
        {"even": -1.0},
    ],
)
def test_settings_that_say_nothing_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=next(iter(wrong))):
        NoiseConfig(**wrong)
