"""Responses, wirings and turns, on linear systems worked by hand."""

from dataclasses import replace
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch

from rltransfer.alignment.response_config import ResponseConfig
from rltransfer.alignment.responses import (
    Array,
    Episode,
    Responses,
    episodes_of,
    matching_turns,
    polar,
)
from rltransfer.alignment.wirings import likely_wirings
from rltransfer.domain import Transitions
from rltransfer.domain.action_codec import codec_of

A = np.array([[0.0, 0.5, 0.0], [0.0, 0.0, 0.4], [0.0, 0.0, 0.0]])
B = np.array([[1.0, 0.0], [0.0, 2.0], [3.0, 1.0]])
CONFIG = replace(
    ResponseConfig(), lags=((1, 1), (2, 2), (3, 3)), since_reset=(0, 1, 2, 3), ridge=0.0
)
"""A applied three times is zero: three lags are all there is."""
MOTORS = gym.spaces.Box(-1.0, 1.0, (2,), np.float32)


def acted(actions: list[Array], a: Array = A, b: Array = B) -> list[Episode]:
    """Returns what x' = a x + b u shows from rest."""
    found = []
    for rows in actions:
        states = [np.zeros(len(a))]
        for row in rows:
            states.append(a @ states[-1] + b @ row)
        found.append(Episode(np.array(states), rows))
    return found


def random_actions(seed: int, episodes: int = 40, motors: int = 2) -> list[Array]:
    rng = np.random.default_rng(seed)
    return [rng.uniform(-1, 1, size=(12, motors)) for _ in range(episodes)]


def test_responses_are_the_markov_parameters() -> None:
    responses = Responses.of(acted(random_actions(0)), CONFIG)
    inverse = responses.whitening.inverse.double().numpy()
    for lag, expected in enumerate((B, A @ B, A @ A @ B)):
        np.testing.assert_allclose(
            responses.actions[lag] @ inverse, expected.T, atol=1e-4
        )
    # From rest, and with all actions known, the time since the reset adds nothing.
    rest = responses.resets @ inverse + responses.whitening.mean.double().numpy()
    np.testing.assert_allclose(rest, 0.0, atol=1e-4)


@pytest.mark.parametrize("rows", [3, 5])
def test_the_similarity_transform_is_recovered_exactly(rows: int) -> None:
    rng = np.random.default_rng(1)
    shown = rng.normal(size=(rows, 3))  # two more sensors than states, or none
    wiring = np.array([[0.0, -1.0], [1.0, 0.0]])
    actions = random_actions(2)
    # The same actions at the motors, so that both domains move alike.
    source = acted([rows @ wiring.T for rows in actions])
    target = [
        Episode(theirs.states @ shown.T + 7.0, rows)
        for theirs, rows in zip(source, actions, strict=True)
    ]
    ours, theirs = Responses.of(target, CONFIG), Responses.of(source, CONFIG)
    best = matching_turns(theirs, ours, wiring, CONFIG, rng)[0]
    states = np.vstack([episode.states for episode in target])
    white = ours.whitening.whiten(torch.from_numpy(states).float()).double().numpy()
    mapped = theirs.whitening.unwhiten(torch.from_numpy(white @ best.matrix).float())
    expected = np.vstack([episode.states for episode in source])
    np.testing.assert_allclose(mapped.numpy(), expected, atol=1e-3)
    assert best.error == pytest.approx(0.0, abs=1e-5)
    wrong = matching_turns(theirs, ours, -wiring[::-1], CONFIG, rng)[0]
    assert wrong.error > 100 * best.error


def test_the_wiring_of_motors_is_found_whatever_the_coordinates() -> None:
    rng = np.random.default_rng(3)
    a, b = 0.6 * polar(rng.normal(size=(5, 5))), rng.normal(size=(5, 4))
    wiring = np.zeros((4, 4))
    wiring[[2, 0, 3, 1], range(4)] = [1, -1, -1, 1]
    shown = rng.normal(size=(5, 5))
    config = replace(ResponseConfig(), most_wirings=2)
    source = acted(random_actions(4, 200, 4), a, b)
    target = [
        Episode(e.states @ shown.T, rows)
        for rows in random_actions(5, 200, 4)
        for e in acted([rows @ wiring.T], a, b)
    ]
    motors = codec_of(gym.spaces.Box(-1.0, 1.0, (4,), np.float32), "motors")
    both = Responses.of(source, config), Responses.of(target, config)
    found = likely_wirings(*both, (motors, motors), config)
    # All motors turned round at once look the same to products of two.
    assert any(np.array_equal(one, wiring) for one in found)
    assert any(np.array_equal(one, -wiring) for one in found)


def test_a_motor_that_the_source_does_not_have_is_left_over() -> None:
    rng = np.random.default_rng(7)
    # Two more states, which the third motor moves alone, and much.
    a, b = np.zeros((5, 5)), np.zeros((5, 3))
    a[:3, :3], b[:3, :2], a[3, 4] = A, B, 0.5
    b[3:, 2] = [4.0, 5.0]
    shown = rng.normal(size=(5, 5))
    wiring = np.array([[0.0, 0.0, -1.0], [1.0, 0.0, 0.0]])
    # The target's motors: its third is the source's first, turned round.
    drives = np.vstack([wiring, [[0.0, 1.0, 0.0]]])
    target = [
        Episode(e.states @ shown.T, rows)
        for rows in random_actions(8, 400, 3)
        for e in acted([rows @ drives.T], a, b)
    ]
    both = (
        Responses.of(acted(random_actions(9, 400)), CONFIG),
        Responses.of(target, CONFIG),
    )
    codecs = (
        codec_of(MOTORS, "source"),
        codec_of(gym.spaces.Box(-1.0, 1.0, (3,), np.float32), "target"),
    )
    found = likely_wirings(*both, codecs, CONFIG)
    assert np.array_equal(np.abs(found[0]), np.abs(wiring))
    best = min(
        (matching_turns(*both, one, CONFIG, rng)[0] for one in found[:4]),
        key=lambda turn: turn.error,
    )
    # As above, turning all motors round is as good.
    assert np.array_equal(best.wiring, wiring) or np.array_equal(best.wiring, -wiring)
    assert best.error < 0.2


def listed(source: gym.Space[Any], target: gym.Space[Any], width: int = 4096) -> Any:
    config = replace(ResponseConfig(), most_wirings=4096, beam_width=width)
    codecs = codec_of(source, "source"), codec_of(target, "target")
    both = [
        Responses.of(
            acted(random_actions(6, 40, codec.size), np.zeros((3, 3)), b), config
        )
        for codec, b in ((codec, np.ones((3, codec.size))) for codec in codecs)
    ]
    return likely_wirings(*both, codecs, config)


@pytest.mark.parametrize(
    ("source", "target", "count"),
    [
        (MOTORS, MOTORS, 2 * 4),  # orders and signs
        # Either motor is another of the three, with a sign; one is left over.
        (MOTORS, gym.spaces.Box(-1.0, 1.0, (3,), np.float32), 3 * 2 * 4),
        (gym.spaces.Discrete(3), gym.spaces.Discrete(3), 6),
        (gym.spaces.Discrete(2), gym.spaces.Discrete(3), 2**3 - 2),
        (gym.spaces.Discrete(4), gym.spaces.Discrete(2), 4 * 3),
        (gym.spaces.Discrete(3), MOTORS, 0),
        (MOTORS, gym.spaces.Discrete(3), 0),
        (gym.spaces.Discrete(80), gym.spaces.Discrete(80), 0),  # too many
    ],
)
def test_every_wiring_is_listed_once(
    source: gym.Space[Any], target: gym.Space[Any], count: int
) -> None:
    found = listed(source, target)
    assert len({one.tobytes() for one in found}) == len(found) == count


def test_a_narrow_beam_keeps_the_likeliest() -> None:
    wide, narrow = listed(MOTORS, MOTORS), listed(MOTORS, MOTORS, width=3)
    assert 0 < len(narrow) <= 3 < len(wide)


def test_episodes_come_apart_where_their_numbers_change() -> None:
    numbers = torch.arange(6.0).reshape(3, 2)
    flags = torch.zeros(3, dtype=torch.bool)
    rows = Transitions(
        torch.tensor([0, 0, 1]),
        numbers,
        numbers[:, :1],
        torch.zeros(3),
        numbers + 10,
        flags,
        flags,
    )
    first, second = episodes_of(rows)
    assert len(first.states) == 3 and len(first.actions) == 2
    assert len(second.states) == 2 and len(second.actions) == 1
    np.testing.assert_array_equal(first.states[:2], rows.observation[:2].numpy())
    np.testing.assert_array_equal(first.states[2], rows.next_observation[1].numpy())


def test_the_polar_factor_is_the_nearest_orthogonal_matrix() -> None:
    np.testing.assert_allclose(polar(np.diag([3.0, -0.5])), np.diag([1.0, -1.0]))
    tall = polar(np.arange(6.0).reshape(3, 2) + np.eye(3, 2))
    np.testing.assert_allclose(tall.T @ tall, np.eye(2), atol=1e-12)


def test_short_episodes_show_their_responses_too() -> None:
    short = acted([rows[:2] for rows in random_actions(8)])
    assert np.isfinite(Responses.of(short, ResponseConfig()).joined).all()
