"""What an environment may get wrong, and how the fault is named."""

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium import spaces

from rltransfer.errors import EnvironmentFault, InputError
from rltransfer.wrappers import CheckedEnv

# What is wrong, where, and what is said of it.
FAULTS: dict[str, tuple[str, Any, str]] = {
    "NaN": ("observation", [0.0, np.nan], r"is not finite: \[1\] is nan"),
    "infinite": ("observation", [-np.inf, 0.0], r"is not finite: \[0\] is -inf"),
    "both infinities": ("observation", [np.inf, -np.inf], r"\[0\] is inf"),
    "beyond its type": ("observation", [1e300, 0.0], r"is not finite: \[0\] is inf"),
    "reward beyond single": (
        "reward",
        1e39,
        r"is too large for single precision: 1e\+39",
    ),
    "long": ("observation", [0.0] * 3, r"has shape \(3,\), not \(2,\)"),
    "scalar": ("observation", 0.0, r"has shape \(\), not \(2,\)"),
    "words": ("observation", ["left", "right"], "has type <U5, not float32"),
    "objects": ("observation", [None, None], "has type object, not float32"),
    "ragged": ("observation", [[0.0], [0.0, 1.0]], "is no array"),
    "NaN reward": ("reward", np.nan, "is not finite: nan"),
    "infinite reward": ("reward", -np.inf, "is not finite: -inf"),
    "reward of text": ("reward", "much", "is no number: 'much'"),
    "two rewards": ("reward", np.zeros(2), "is no number"),
    "no info": ("info", None, "is no dict: None"),
}


class Walk(gym.Env[Any, Any]):
    """Episodes of four steps; does what `spoil` says at step `at`, 0 for the reset."""

    observation_space = spaces.Box(-1, 1, (2,))
    action_space = spaces.Discrete(2)

    def __init__(self, at: int = -1, spoil: Any = None) -> None:
        self._at, self._spoil, self._count = at, spoil, 0

    def reset(self, *, seed: Any = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        self._count = 0
        observation, *_, info = self._shown(0.0, False)
        return observation, info

    def step(self, action: Any) -> Any:
        self._count += 1
        return self._shown(1.0, self._count == 4)

    def _shown(self, reward: Any, over: Any) -> Any:
        shown = {
            "observation": np.zeros(2, np.float32),
            "reward": reward,
            "terminated": over,
            "truncated": False,
            "info": {},
        }
        if self._count == self._at:
            if callable(self._spoil):
                return self._spoil(shown)
            shown |= dict([self._spoil])
        return tuple(shown.values())


def walked(checked: CheckedEnv) -> None:
    checked.reset(seed=0)
    for _ in range(4):
        checked.step(0)


@pytest.mark.parametrize("at", [1, 2, 4], ids=["first", "middle", "terminal"])
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_of_a_step_names_environment_step_and_field(
    fault: str, at: int
) -> None:
    field, value, said = FAULTS[fault]
    checked = CheckedEnv(Walk(at, (field, value)), "Walk-v0")
    with pytest.raises(
        EnvironmentFault, match=f"^Walk-v0, step {at}: {field}.* {said}"
    ):
        walked(checked)
    assert checked.steps == at


@pytest.mark.parametrize("fault", [f for f in FAULTS if FAULTS[f][0] == "observation"])
def test_a_fault_of_a_reset_is_named(fault: str) -> None:
    _, value, said = FAULTS[fault]
    checked = CheckedEnv(Walk(0, ("observation", value)), "Walk-v0")
    with pytest.raises(
        EnvironmentFault, match=f"^Walk-v0, step 0: observation of reset .*{said}"
    ):
        checked.reset()


@pytest.mark.parametrize("kind", [ZeroDivisionError, OSError, SystemExit, MemoryError])
@pytest.mark.parametrize(("at", "field"), [(0, "reset"), (2, "step with action 0")])
def test_whatever_is_raised_is_a_fault(
    kind: type[BaseException], at: int, field: str
) -> None:
    def spoil(shown: Any) -> Any:
        raise kind("two\nlines")

    with pytest.raises(EnvironmentFault) as caught:
        walked(CheckedEnv(Walk(at, spoil), "Walk-v0"))
    message = str(caught.value)
    assert f"step {at}: {field} raised {kind.__name__}: two lines" in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (
            lambda shown: tuple(shown.values())[:4],
            "4 values, not 5; this is .* old Gym",
        ),
        (
            lambda shown: tuple(shown.values())[:3],
            "3 values, not 5; return observation",
        ),
        (lambda shown: None, "None, not 5 values"),
        (
            lambda shown: tuple((shown | {"terminated": np.ones(2)}).values()),
            r"terminated array\(.*\) and truncated False, not two of True or False",
        ),
    ],
    ids=["old gym", "three", "nothing", "two endings"],
)
def test_a_step_of_another_form_is_a_fault(spoil: Any, said: str) -> None:
    with pytest.raises(EnvironmentFault, match=f"step 3: step returned {said}"):
        walked(CheckedEnv(Walk(3, spoil), "Walk-v0"))


def test_an_exception_says_where_it_was_raised() -> None:
    def spoil(shown: Any) -> Any:
        return np.linalg.inv(np.zeros((2, 2)))  # raises within NumPy

    with pytest.raises(
        EnvironmentFault, match=r"; see test_checked_env\.py, line \d+$"
    ):
        walked(CheckedEnv(Walk(2, spoil), "Walk-v0"))


def test_numbers_too_large_for_networks_are_named() -> None:
    class Double(Walk):
        observation_space = spaces.Box(-np.inf, np.inf, (2,), np.float64)

    # Both fit, and their sum does not.
    large = np.array([3e38, 3e38])
    walked(CheckedEnv(Double(2, ("observation", large)), "Walk-v0"))
    with pytest.raises(EnvironmentFault, match=r"single precision: \[0\] is 1e\+200"):
        walked(CheckedEnv(Double(2, ("observation", [1e200, 0.0])), "Walk-v0"))


@pytest.mark.parametrize("odd", [[0.5, 0.0], [np.nan, 0.0], [1e9, 0.0], [-5, 0]])
def test_numbers_that_an_integer_type_cannot_hold_are_named(odd: Any) -> None:
    class Whole(Walk):
        observation_space = spaces.Box(0, 255, (2,), np.uint8)

    walked(CheckedEnv(Whole(2, ("observation", [7.0, 255])), "Walk-v0"))
    with pytest.raises(
        EnvironmentFault, match="step 2: observation does not fit uint8"
    ):
        walked(CheckedEnv(Whole(2, ("observation", odd)), "Walk-v0"))


def test_one_wrong_number_among_many_is_found() -> None:
    many = np.zeros((3, 50))
    many[1, 7] = np.nan

    class Wide(Walk):
        observation_space = spaces.Box(-1, 1, (3, 50))

    with pytest.raises(EnvironmentFault, match=r"is not finite: \[1, 7\] is nan"):
        CheckedEnv(Wide(0, ("observation", many)), "Walk-v0").reset()


def test_an_observation_is_a_copy_of_what_the_environment_reuses() -> None:
    class Reusing(Walk):
        state = np.zeros(2, np.float32)

        def _shown(self, reward: Any, over: Any) -> Any:
            self.state += 1
            return self.state, reward, over, False, {}

    checked = CheckedEnv(Reusing(), "Reusing-v0")
    first, _ = checked.reset()
    second, *_ = checked.step(0)
    np.testing.assert_array_equal(first, [1, 1])
    np.testing.assert_array_equal(second, [2, 2])


def test_whole_numbers_get_the_type_of_the_space() -> None:
    checked = CheckedEnv(Walk(1, ("observation", [1, 0])), "Walk-v0")
    checked.reset()
    observation, *_ = checked.step(0)
    assert observation.dtype == np.float32


def test_a_fault_that_is_already_named_is_passed_on() -> None:
    def spoil(shown: Any) -> Any:
        raise InputError("fix this; so")

    with pytest.raises(InputError, match=r"^fix this; so$"):
        walked(CheckedEnv(Walk(2, spoil), "Walk-v0"))


class Parts(Walk):
    """Shows a count, a direction and a place at once."""

    observation_space = spaces.Dict(
        {
            "place": spaces.Box(-1, 1, (2,)),
            "pair": spaces.Tuple((spaces.Discrete(3), spaces.MultiBinary(2))),
        }
    )


def parts(place: Any = (0.0, 0.0), count: Any = 2, switches: Any = (0, 1)) -> Any:
    return {"place": place, "pair": (count, switches)}


def test_observations_of_several_parts_are_checked_part_by_part() -> None:
    env = CheckedEnv(Parts(0, ("observation", parts())), "Parts-v0")
    observation, _ = env.reset()
    assert observation["place"].dtype == np.float32
    assert observation["pair"][0] == 2


@pytest.mark.parametrize(
    ("shown", "said"),
    [
        (parts(place=[0.0, np.inf]), r"\['place'\] is not finite: \[1\] is inf"),
        (parts(count=3), r"\['pair'\]\[0\] 3 is outside Discrete\(3\)"),
        (parts(count=-1), r"\['pair'\]\[0\] -1 is outside"),
        (parts(switches=[0, 2]), r"\['pair'\]\[1\] .* is outside MultiBinary\(2\)"),
        ({"place": [0.0, 0.0]}, "is no dict of "),
        ([0.0, 0.0], "is no dict of "),
    ],
)
def test_the_part_that_is_wrong_is_named(shown: Any, said: str) -> None:
    with pytest.raises(EnvironmentFault, match=f"observation of reset.*{said}"):
        CheckedEnv(Parts(0, ("observation", shown)), "Parts-v0").reset()
