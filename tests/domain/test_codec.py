import json

import gymnasium as gym
import numpy as np
import pytest

from rltransfer.domain.action_codec import codec_of, describe_space
from rltransfer.domain.observation_codec import observation_codec_of
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
        (gym.spaces.MultiDiscrete([20, 30]), "leave out choices"),
        (gym.spaces.MultiBinary(9), "leave out choices"),
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
        (gym.spaces.Box(0, 255, (8, 8, 3), np.uint8), "channels first"),
        (gym.spaces.Box(0, 255, (4, 84, 84), np.uint8), "make them smaller"),
        (gym.spaces.Box(-1.0, 1.0, (2, 2)), "flatten them with"),
        (gym.spaces.Box(-1.0, 1.0, (0,)), "at least one number"),
        (gym.spaces.Discrete(1_001), "what the number is made of"),
        (gym.spaces.MultiDiscrete([3, 2]), "one-hot with"),
        (gym.spaces.MultiBinary((3, 2)), "flatten them with"),
        (gym.spaces.Text(3), "show numbers instead"),
    ],
    ids=str,
)
def test_observations_that_cannot_be_mapped_are_refused_by_name(
    space: gym.Space[object], remedy: str
) -> None:
    with pytest.raises(
        InputError, match=f"1,000 states, but World-v0 has .*: .*{remedy}"
    ):
        observation_codec_of(space, "World-v0")


def test_pictures_are_pixels_from_zero_to_one() -> None:
    space = gym.spaces.Box(0, 255, (1, 1, 3), np.uint8)
    codec = observation_codec_of(space, "World-v0")
    assert (codec.picture, codec.size) == ((1, 1, 3), 3)
    shown = np.array([[[0, 51, 255]]], np.uint8)
    assert codec.encode(shown).tolist() == pytest.approx([0.0, 0.2, 1.0])
    assert codec.encode(np.stack([shown, shown])).shape == (2, 3)
    np.testing.assert_array_equal(codec.decode(codec.encode(shown)), shown)


def test_numbers_beside_a_picture_follow_its_pixels() -> None:
    picture = gym.spaces.Box(0, 255, (1, 1, 2), np.uint8)
    numbers = gym.spaces.Box(-np.inf, np.inf, (2,))
    space = gym.spaces.Dict({"a": numbers, "b": picture})
    codec = observation_codec_of(space, "World-v0")
    shown = {"a": np.array([7.0, -3.0]), "b": np.array([[[0, 255]]], np.uint8)}
    assert codec.encode(shown).tolist() == [0.0, 1.0, 7.0, -3.0]
    back = codec.decode(codec.encode(shown))
    assert {key: back[key].tolist() for key in back} == {
        key: shown[key].tolist() for key in shown
    }


FRAMES = gym.spaces.Box(0, 255, (2, 3, 4), np.uint8)


@pytest.mark.parametrize("shape", [(2, 4, 3), (3, 4), (1, 2, 4)])
def test_a_picture_of_another_shape_is_refused(shape: tuple[int, ...]) -> None:
    codec = observation_codec_of(FRAMES, "World-v0")
    with pytest.raises(InputError, match=r"shape \(2, 3, 4\) of the target's"):
        codec.encode(np.zeros(shape, np.uint8))


@pytest.mark.parametrize("wrong", [{"camera": np.zeros((2, 3, 4), np.uint8)}, 3])
def test_a_picture_without_its_numbers_is_refused(wrong: object) -> None:
    parts = {"camera": FRAMES, "numbers": gym.spaces.Box(-1, 1, (2,))}
    codec = observation_codec_of(gym.spaces.Dict(parts), "World-v0")
    with pytest.raises(InputError, match="dictionaries with camera and numbers"):
        codec.encode(wrong)


def test_pixels_of_another_range_are_no_picture() -> None:
    dark = gym.spaces.Box(0, 1, (2, 3, 4), np.uint8)
    with pytest.raises(InputError, match="observations must be"):
        observation_codec_of(dark, "World-v0")


def test_numbered_states_are_one_hot() -> None:
    codec = observation_codec_of(gym.spaces.Discrete(3), "World-v0")
    assert (codec.numbered, codec.size) == (True, 3)
    assert codec.encode(np.int64(2)).tolist() == [0, 0, 1]
    assert codec.encode(np.array([1, 0])).tolist() == [[0, 1, 0], [1, 0, 0]]
    assert codec.decode(np.array([[0.1, 0.7, 0.2], [1, 0, 0]])).tolist() == [1, 0]


@pytest.mark.parametrize("number", [-1, 3, 0.5])
def test_a_state_that_is_none_is_refused(number: float) -> None:
    codec = observation_codec_of(gym.spaces.Discrete(3), "World-v0")
    with pytest.raises(InputError, match="counted from 0 to 2, got"):
        codec.encode(number)


def test_zeros_and_ones_are_a_vector() -> None:
    codec = observation_codec_of(gym.spaces.MultiBinary(3), "World-v0")
    assert (codec.numbered, codec.size) == (False, 3)
    assert codec.encode(np.array([1, 0, 1], np.int8)).dtype == np.float32


@pytest.mark.parametrize(
    ("space", "choice", "place"),
    [
        (gym.spaces.MultiDiscrete([2, 3]), [1, 0], 3),
        (gym.spaces.MultiBinary(3), [1, 0, 1], 5),
    ],
    ids=str,
)
def test_several_choices_are_one_of_their_combinations(
    space: gym.Space[object], choice: list[int], place: int
) -> None:
    codec = codec_of(space, "w")
    assert codec.discrete
    row = codec.encode(np.array(choice))
    assert row.argmax() == place
    assert len(row) == codec.size
    assert codec.decode(row).tolist() == choice
    assert codec.decode(codec.encode(np.array([choice] * 2))).tolist() == [choice] * 2
    drawn = codec.draw(np.random.default_rng(0))
    assert space.contains(drawn)


def test_a_choice_that_is_none_is_refused() -> None:
    codec = codec_of(gym.spaces.MultiDiscrete([2, 3]), "w")
    for wrong in ([2, 0], [-1, 0], [1, 1, 1]):
        with pytest.raises(InputError, match="one choice each of"):
            codec.encode(np.array(wrong))


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
