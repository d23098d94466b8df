"""Policies that are made worse on purpose, and by how much."""

from typing import Any, cast

import gymnasium as gym
import numpy as np
import pytest
import torch

from rltransfer.domain import codec_of
from rltransfer.mapping import Affine, Mlp
from rltransfer.translation import MappedPolicy, Translation
from rltransfer.translation.altered_translations import (
    noisy,
    opposite,
    shuffled,
    spoilt,
)

LINE = codec_of(gym.spaces.Box(-1.0, 1.0, (1,)), "line")


class Shows:
    """A policy that keeps what it is shown."""

    def __init__(self) -> None:
        self.seen = np.zeros(0)

    def predict(self, observation: Any, *rest: Any) -> tuple[Any, None]:
        self.seen = np.asarray(observation)
        return np.zeros(1, np.float32), None


def mapped(size: int, policy: Any = None) -> MappedPolicy:
    return MappedPolicy(policy or Shows(), Translation.identity(size), LINE, LINE)


def seen(policy: MappedPolicy, observation: list[float]) -> list[float]:
    policy.predict(np.array(observation, np.float32))
    shown: list[float] = cast(Shows, policy.policy).seen.tolist()
    return shown


@pytest.mark.parametrize("size", [2, 3, 8])
def test_shuffling_leaves_no_sensor_in_its_place(size: int) -> None:
    numbers = [float(n) for n in range(1, size + 1)]
    found = seen(shuffled(mapped(size), np.random.default_rng(0)), numbers)
    assert sorted(found) == numbers
    assert all(a != b for a, b in zip(found, numbers, strict=True))
    assert found == seen(shuffled(mapped(size), np.random.default_rng(0)), numbers)


def test_one_sensor_cannot_be_shuffled() -> None:
    assert seen(shuffled(mapped(1), np.random.default_rng(0)), [3.0]) == [3.0]


def test_the_opposite_is_the_mirror_image() -> None:
    assert seen(opposite(mapped(3)), [1.0, -2.0, 3.0]) == [-1.0, 2.0, -3.0]


def test_maps_that_are_not_affine_are_altered_too() -> None:
    generator = torch.Generator().manual_seed(0)
    state = Mlp(2, (4,), 2, generator=generator)
    show = Affine.of(torch.eye(2), torch.zeros(2))
    bent = mapped(2).through(Translation(state, show, None, None))
    found = seen(opposite(bent), [1.0, 2.0])
    assert found == pytest.approx([-x for x in seen(bent, [1.0, 2.0])], abs=1e-6)


def test_noise_grows_with_its_scale_and_reaches_the_action_map() -> None:
    one = Affine.of(torch.eye(1), torch.zeros(1))
    gain = Affine.of(torch.zeros(1, 1), torch.ones(1))
    found = mapped(1).through(Translation(one, one, gain, one))
    little, much = (
        noisy(found, scale, np.random.default_rng(0)) for scale in (0.1, 0.2)
    )
    off = [abs(seen(worse, [1.0])[0] - 1) for worse in (little, much)]
    assert off[1] == pytest.approx(2 * off[0], rel=1e-5)
    action = little.translation.action
    assert isinstance(action, Affine)
    assert action.weight.item() != 1.0


def use(policy: MappedPolicy) -> float:
    """The less, the farther what a policy sees is from the truth."""
    error = np.abs(np.array(seen(policy, [1.0, 1.0])) - 1).sum()
    return float(np.exp(-error))


def test_a_policy_is_spoilt_until_some_of_its_use_is_left() -> None:
    found = [spoilt(mapped(2), use, seed=7) for _ in range(2)]
    assert 0.2 <= use(found[0]) <= 0.5
    assert seen(found[0], [1.0, 2.0]) == seen(found[1], [1.0, 2.0])


def test_where_none_is_within_the_range_the_nearest_is_taken() -> None:
    tried: list[float] = []

    def more(policy: MappedPolicy) -> float:
        tried.append(1.0 + use(policy))
        return tried[-1]

    found = spoilt(mapped(2), more, seed=7)
    assert len(tried) > 8
    assert 1.0 + use(found) == pytest.approx(min(tried))
