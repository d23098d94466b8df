from dataclasses import dataclass, field
from typing import Any, final

import numpy as np
import pytest
from gymnasium import spaces

from rltransfer.errors import InputError
from rltransfer_agents.loading.space_agreement import require_same_spaces

_SEEN = spaces.Box(-1.0, 1.0, (3,), np.float32)
_DONE = spaces.Box(-1.0, 1.0, (2,), np.float32)
_PICTURE = spaces.Box(0, 255, (3, 8, 8), np.uint8)


@final
@dataclass(frozen=True)
class Spaces:
    observation_space: Any = field(default_factory=lambda: _SEEN)
    action_space: Any = field(default_factory=lambda: _DONE)


def notes(agent: Spaces, env: Spaces, at_home: bool = False) -> tuple[str, ...]:
    return require_same_spaces(
        agent,
        env,
        path="agent.zip",
        env_name="Task-v0",
        remedy=lambda: "use transfer",
        at_home=at_home,
    )


def box(low: float, high: float, *shape: int, dtype: Any = np.float32) -> spaces.Box:
    return spaces.Box(low, high, shape, dtype)


@pytest.mark.parametrize(
    ("own", "other", "difference"),
    [
        (box(-1, 1, 2), box(-8, 1, 2), "low"),
        (box(-1, 1, 2), box(-1, 8, 2), "high"),
        (box(-1, 1, 2), box(-1, 1, 3), "shape"),
        (box(-1, 1, 1), spaces.Discrete(2), "kind"),
        (spaces.Discrete(2), spaces.Discrete(3), "n"),
        (spaces.Discrete(2), spaces.Discrete(2, start=7), "start"),
        (spaces.MultiDiscrete([2, 3]), spaces.MultiDiscrete([3, 2]), "nvec"),
        (
            spaces.MultiDiscrete([2, 3]),
            spaces.MultiDiscrete([2, 3], start=[1, 0]),
            "start",
        ),
        (spaces.MultiBinary(3), spaces.MultiBinary(4), "shape"),
    ],
)
def test_actions_that_differ_are_refused_with_both_spaces(
    own: Any, other: Any, difference: str
) -> None:
    said = rf"actions of an agent .* differ in {difference}; use transfer"
    with pytest.raises(InputError, match=said) as refused:
        notes(Spaces(action_space=own), Spaces(action_space=other))
    assert refused.value.exit_status == 2
    assert "agent.zip knows" in str(refused.value)
    assert "Task-v0 has" in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("own", "other", "difference"),
    [
        (box(-1, 1, 3), box(-1, 1, 4), "shape"),
        (spaces.Discrete(4), spaces.Discrete(4, start=1), "start"),
        (spaces.MultiDiscrete([2, 2]), spaces.MultiDiscrete([2, 3]), "nvec"),
        (_PICTURE, box(0, 1, 3, 8, 8), "dtype"),
        (_PICTURE, spaces.Box(0, 100, (3, 8, 8), np.uint8), "high"),
        (spaces.Dict(a=_SEEN), spaces.Dict(b=_SEEN), "their parts"),
        (spaces.Dict(a=_SEEN), spaces.Dict(a=_DONE), "shape of the part 'a'"),
    ],
)
def test_observations_that_differ_are_refused(
    own: Any, other: Any, difference: str
) -> None:
    with pytest.raises(InputError, match=f"differ in {difference};"):
        notes(Spaces(own), Spaces(other))


@pytest.mark.parametrize(
    "other", [box(-9, 9, 3), box(-np.inf, np.inf, 3), box(-1, 1, 3, dtype=np.float64)]
)
def test_bounds_and_width_of_numbers_may_differ_and_are_noted(other: Any) -> None:
    (note,) = notes(Spaces(), Spaces(other))
    assert "other bounds" in note
    (note,) = notes(Spaces(spaces.Dict(a=_SEEN)), Spaces(spaces.Dict(a=other)))
    assert notes(Spaces(), Spaces()) == ()


def test_pictures_may_have_their_channels_last() -> None:
    assert (
        notes(Spaces(_PICTURE), Spaces(spaces.Box(0, 255, (8, 8, 3), np.uint8))) == ()
    )


def test_actions_may_have_another_float_width() -> None:
    third = 1 / 3
    own, other = box(-third, third, 2), box(-third, third, 2, dtype=np.float64)
    assert notes(Spaces(action_space=own), Spaces(action_space=other)) == ()


def test_at_home_choices_may_be_counted_from_another_start() -> None:
    own = Spaces(spaces.Dict(a=spaces.Discrete(3)), spaces.MultiDiscrete([2, 3]))
    shifted = Spaces(
        spaces.Dict(a=spaces.Discrete(3, start=2)),
        spaces.MultiDiscrete([2, 3], start=[1, 5]),
    )
    assert notes(own, shifted, at_home=True) == ()
    with pytest.raises(InputError, match="differ in start of the part 'a'"):
        notes(own, shifted)
    # An agent that counts from elsewhere was not trained so.
    with pytest.raises(InputError, match="differ in start"):
        notes(shifted, own, at_home=True)


def test_switches_agree_however_their_number_is_written() -> None:
    assert notes(Spaces(spaces.MultiBinary(3)), Spaces(spaces.MultiBinary((3,)))) == ()
