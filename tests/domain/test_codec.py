import json

import gymnasium as gym
import numpy as np
import pytest

from rltransfer.domain.action_codec import codec_of, describe_space, observation_size_of
from rltransfer.errors import InputError


def test_discrete_actions_are_one_hot_counted_from_zero() -> None:
    codec = codec_of(gym.spaces.Discrete(3, start=5), "w")
    assert codec.encode(1).tolist() == [0.0, 1.0, 0.0]
    assert codec.encode(np.array([0, 2])).tolist() == [[1, 0, 0], [0, 0, 1]]
    assert codec.decode(np.array([0.1, 0.2, 0.9])) == 2


@pytest.mark.parametrize("action", [-1, 3, np.array([0, -1]), np.int64(3)])
def test_a_discrete_action_out_of_range_is_refused(action: object) -> None:
    codec = codec_of(gym.spaces.Discrete(3), "w")
    with pytest.raises(InputError, match="actions are counted from 0 to 2, got"):
        codec.encode(action)


def test_box_actions_are_scaled_to_one_and_clipped() -> None:
    space = gym.spaces.Box(np.array([0.0, -4.0]), np.array([10.0, 4.0]), dtype=float)
    codec = codec_of(space, "w")
    assert codec.encode([5.0, 2.0]).tolist() == [0.0, 0.5]
    assert codec.decode(np.array([1.0, -3.0])).tolist() == [10.0, -4.0]


@pytest.mark.parametrize(
    "space", [gym.spaces.Discrete(4), gym.spaces.Box(-3.0, 1.0, (3,))]
)
def test_drawn_actions_are_of_the_space_and_survive_the_coding(
    space: gym.Space[object],
) -> None:
    codec, rng = codec_of(space, "w"), np.random.default_rng(0)
    for _ in range(20):
        action = codec.draw(rng)
        assert space.contains(action)
        vector = codec.encode(action)
        assert vector.shape == (codec.size,)
        np.testing.assert_allclose(codec.decode(vector), action, atol=1e-5)


@pytest.mark.parametrize(
    ("space", "remedy"),
    [
        (gym.spaces.MultiDiscrete([2, 3]), r"list them as one Discrete\(6\)"),
        (gym.spaces.MultiBinary(3), r"list them as one Discrete\(8\)"),
        (gym.spaces.Dict({"a": gym.spaces.Discrete(2)}), "join the parts"),
        (gym.spaces.Text(3), "make them one of these"),
        (gym.spaces.Box(-1.0, 1.0, (2, 2)), r"a Box of shape \(4,\)"),
        (gym.spaces.Box(-1.0, 1.0, ()), r"a Box of shape \(1,\)"),
        (gym.spaces.Box(-np.inf, np.inf, (1,)), "how far its motors go"),
        (gym.spaces.Box(0, 3, (2,), np.int64), "a Box of float32"),
    ],
    ids=str,
)
def test_actions_that_cannot_be_translated_are_refused(
    space: gym.Space[object], remedy: str
) -> None:
    with pytest.raises(InputError, match=f"actions .*{remedy}"):
        codec_of(space, "w")


@pytest.mark.parametrize(
    ("space", "remedy"),
    [
        (gym.spaces.Dict({"a": gym.spaces.Box(0.0, 1.0, (2,))}), "join them with"),
        (gym.spaces.Box(0, 255, (8, 8, 3), np.uint8), "images cannot be mapped yet"),
        (gym.spaces.Box(-1.0, 1.0, (2, 2)), "flatten them with"),
        (gym.spaces.Box(-1.0, 1.0, (0,)), "at least one number"),
        (gym.spaces.Discrete(3), "one-hot with"),
        (gym.spaces.MultiBinary(3), "one-hot with"),
        (gym.spaces.Text(3), "show numbers instead"),
    ],
    ids=str,
)
def test_observations_that_cannot_be_mapped_are_refused_by_name(
    space: gym.Space[object], remedy: str
) -> None:
    with pytest.raises(
        InputError, match=f"Box of one dimension, but World-v0 has .*: .*{remedy}"
    ):
        observation_size_of(space, "World-v0")


@pytest.mark.parametrize("space", [gym.spaces.Discrete(16), gym.spaces.MultiBinary(3)])
def test_the_remedy_for_numbered_states_works(space: gym.Space[object]) -> None:
    flat = gym.spaces.flatten_space(space)
    assert observation_size_of(flat, "World-v0") == gym.spaces.flatdim(space)


def test_spaces_without_bounds_can_be_written() -> None:
    space = gym.spaces.Dict(
        {
            "box": gym.spaces.Box(-np.inf, 1.0, (2,)),
            "discrete": gym.spaces.Discrete(3, start=1),
        }
    )
    described = describe_space(space)
    assert described["spaces"]["box"]["low"] == [None, None]
    assert described["spaces"]["discrete"] == {"kind": "Discrete", "n": 3, "start": 1}
    json.dumps(described, allow_nan=False)
