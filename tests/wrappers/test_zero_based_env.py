"""Choices are counted from 0, wherever an environment starts to count."""

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium import spaces

from rltransfer.domain import Domain, StickyRandomPolicy
from rltransfer.errors import EnvironmentFault, InputError
from rltransfer.wrappers import CheckedEnv, SubprocessEnv


class Counting(gym.Env[Any, Any]):
    """Shows the number of the last action; notes what it was given."""

    def __init__(self, actions: Any, observations: Any, shown: Any) -> None:
        self.action_space, self.observation_space = actions, observations
        self.shown, self.given = shown, []  # type: ignore[var-annotated]

    def reset(self, *, seed: Any = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        return self.shown, {}

    def step(self, action: Any) -> Any:
        assert self.action_space.contains(action), action
        self.given.append(action)
        return self.shown, 0.0, False, len(self.given) == 3, {}


class Line(Counting):
    """Three choices, counted from -1."""

    def __init__(self) -> None:
        shown = np.zeros(2, np.float32)
        space = spaces.Box(-1, 1, (2,))
        super().__init__(spaces.Discrete(3, start=-1), space, shown)


PAIR = spaces.MultiDiscrete([2, 3], start=[4, -2])
CELLS = spaces.Discrete(11, start=-5)


@pytest.mark.parametrize("action", [np.int64(2), 2, np.array(2)])
def test_the_start_of_discrete_actions_is_added(action: Any) -> None:
    env = CheckedEnv(line := Line(), "Line-v0")
    assert env.action_space == spaces.Discrete(3)
    assert env.declared_spaces[1] == spaces.Discrete(3, start=-1)
    env.reset()
    env.step(action)
    assert line.given == [1]


def test_the_starts_of_several_choices_are_added() -> None:
    inner = Counting(PAIR, CELLS, -5)
    env = CheckedEnv(inner, "Pair-v0")
    assert env.action_space == spaces.MultiDiscrete([2, 3])
    assert env.observation_space == spaces.Discrete(11)
    observation, _ = env.reset()
    assert observation == 0
    env.step(np.array([1, 0]))
    np.testing.assert_array_equal(inner.given, [[5, -2]])


def test_the_start_of_parts_of_observations_is_taken_away() -> None:
    space = spaces.Dict({"cell": CELLS, "both": spaces.Tuple((CELLS, PAIR))})
    shown = {"cell": 5, "both": (-5, np.array([5, -2]))}
    env = CheckedEnv(Counting(spaces.Discrete(2), space, shown), "Parts-v0")
    observation, _ = env.reset()
    assert observation["cell"] == 10 and observation["both"][0] == 0
    np.testing.assert_array_equal(observation["both"][1], [1, 0])
    assert shown["cell"] == 5


@pytest.mark.parametrize("shown", [6, -6])
def test_an_observation_outside_its_space_is_a_fault(shown: int) -> None:
    env = CheckedEnv(Counting(PAIR, CELLS, shown), "Cells-v0")
    with pytest.raises(EnvironmentFault, match=r"observation of reset .* is outside"):
        env.reset()


@pytest.mark.parametrize("start", [0, -1, 7])
@pytest.mark.parametrize("action", [-1, 3, np.int64(-3)])
def test_an_action_out_of_range_is_refused(action: Any, start: int) -> None:
    line = Line()
    line.action_space = spaces.Discrete(3, start=start)
    env = CheckedEnv(line, "Line-v0")
    env.reset()
    with pytest.raises(
        InputError, match=r"Line-v0 are counted from 0 to 2.* chose -?\d"
    ):
        env.step(action)
    assert line.given == []


@pytest.mark.parametrize("action", [[0, 3], [-1, 0], [2, 0]])
def test_one_of_several_choices_out_of_range_is_refused(action: list[int]) -> None:
    env = CheckedEnv(inner := Counting(PAIR, CELLS, 0), "Pair-v0")
    env.reset()
    with pytest.raises(InputError, match="Pair-v0"):
        env.step(np.array(action))
    assert inner.given == []


@pytest.mark.parametrize("apart", [False, True], ids=["here", "subprocess"])
def test_a_domain_acts_and_encodes_by_one_count(apart: bool) -> None:
    domain = Domain(
        lambda: SubprocessEnv(Line, "Line-v0", 30.0, np.float32) if apart else Line(),
        "Line-v0",
    )
    assert domain.action_space == spaces.Discrete(3, start=-1)
    policy = StickyRandomPolicy(domain.actions, np.random.default_rng(0), longest=1)
    rollout = domain.collect(policy, purpose="test", seed=0, steps=30)
    assert set(rollout.transitions.action.argmax(dim=1).tolist()) == {0, 1, 2}
    domain.close()
