from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium import spaces

from rltransfer.errors import InputError
from rltransfer_envs.multi_task import MultiTask, make_multi_task


class Echo(gym.Env[Any, Any]):
    """Shows its size, and pays what its action was."""

    def __init__(self, size: int, actions: gym.Space[Any]) -> None:
        self.observation_space = spaces.Box(-9, 9, (size,), np.float32)
        self.action_space = actions
        self._shown = np.full(size, size, np.float32)

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        return self._shown, {}

    def step(self, action: Any) -> Any:
        assert self.action_space.contains(action)
        return self._shown, float(np.sum(action)), False, True, {}


def choices(task: int | None) -> MultiTask:
    tasks = Echo(1, spaces.Discrete(2)), Echo(3, spaces.Discrete(3, start=5))
    return MultiTask(tasks, task)


def test_observations_are_padded_and_say_which_task_it_is() -> None:
    np.testing.assert_array_equal(choices(0).reset(seed=0)[0], [1, 0, 0, 1, 0])
    np.testing.assert_array_equal(choices(1).reset(seed=0)[0], [3, 3, 3, 0, 1])


@pytest.mark.parametrize(("task", "paid"), [(0, [0.0, 1.0, 1.0]), (1, [5.0, 6.0, 7.0])])
def test_choices_that_are_too_many_do_what_the_last_one_does(
    task: int, paid: list[float]
) -> None:
    env = choices(task)
    assert env.action_space == spaces.Discrete(3)
    env.reset(seed=0)
    assert [env.step(action)[1] for action in range(3)] == paid


def test_motors_go_to_the_bounds_of_the_task() -> None:
    one = spaces.Box(-2, 4, (1,), np.float32)
    two = spaces.Box(0, 1, (2,), np.float32)
    for task, paid in ((0, 2.5), (1, 1.0)):
        env = MultiTask((Echo(1, one), Echo(1, two)), task)
        assert env.action_space == spaces.Box(-1, 1, (2,), np.float32)
        env.reset(seed=0)
        # Halfway up from the middle, and halfway down where there is a second motor.
        assert env.step(np.float32([0.5, -0.5]))[1] == pytest.approx(paid)


def test_each_task_is_drawn_about_as_often_and_the_seed_says_which() -> None:
    def drawn(seed: int) -> list[int]:
        env = choices(None)
        first = [env.reset(seed=seed)[1]["task"]]
        return first + [env.reset()[1]["task"] for _ in range(400)]

    assert drawn(3) == drawn(3) != drawn(4)
    # 0.5 and four deviations.
    assert 0.4 < np.mean(drawn(3)) < 0.6


def test_where_episodes_start_follows_from_the_seed_in_every_task() -> None:
    def starts(seed: int) -> list[Any]:
        env = make_multi_task(["CartPole-v1", "Acrobot-v1"])
        return [env.reset(seed=seed)[0]] + [env.reset()[0] for _ in range(6)]

    np.testing.assert_array_equal(starts(1), starts(1))
    assert not np.array_equal(starts(1), starts(2))


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({}, "ids of two environments or more"),
        ({"tasks": ["CartPole-v1"]}, "ids of two environments or more"),
        ({"tasks": ["CartPole-v1", "CartPole-v9"]}, "not registered|is .*version"),
        ({"tasks": ["CartPole-v1", "Pendulum-v1"]}, "discrete actions all, or bounded"),
        ({"tasks": ["CartPole-v1", "Acrobot-v1"], "task": 2}, "from 0 to 1"),
        ({"tasks": ["CartPole-v1", "Acrobot-v1"], "task": True}, "from 0 to 1"),
        (
            {"tasks": ["CartPole-v1", {"id": "CartPole-v1", "render_mode": "human"}]},
            "those of all tasks",
        ),
        ({"tasks": ["CartPole-v1", "rltransfer/MultiTask-v0"]}, "must not be one"),
        ({"tasks": ["CartPole-v1", {"gravity": 3}]}, "not registered"),
    ],
)
def test_what_cannot_be_shared_is_refused(arguments: dict[str, Any], says: str) -> None:
    with pytest.raises(InputError, match=says):
        make_multi_task(**arguments)
