"""Several environments as one, for an agent with one trunk that acts in all of them."""

from collections.abc import Sequence
from typing import Any, final

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray
from typing_extensions import override

from rltransfer.errors import InputError
from rltransfer_envs.making import make
from rltransfer_envs.scrambled_env import require_vectors

ENV_ID = "rltransfer/MultiTask-v0"
_OF_ALL = {"render_mode", "max_episode_steps"}


@final
class MultiTask(gym.Env[NDArray[np.float32], Any]):
    """Plays an episode of one task after the other, drawn anew at each reset.

    Observations are padded with zeros to those of the widest task, and followed by the
    task's place as a one-hot code (as in Meta-World's MT10, Yu et al., CoRL 2019).
    Choices are as many as the largest task has; in a smaller one those that are too
    many do what its last one does. Motors go from -1 to 1, and those that a task lacks
    move nothing. Rewards, terminations and time limits are the task's.

    Args:
        tasks: open environments with vectors, all with choices or all with motors.
        task: place of the one that is always played; None: any.
    """

    def __init__(self, tasks: Sequence[gym.Env[Any, Any]], task: int | None) -> None:
        widths = [require_vectors(one).shape[0] for one in tasks]
        self._tasks, self._task, self._playing = tuple(tasks), task, task or 0
        self._width = max(widths)
        self.observation_space = spaces.Box(
            -np.inf, np.inf, (self._width + len(tasks),), np.float32
        )
        self.action_space = _joined([one.action_space for one in tasks])
        self.metadata = tasks[0].metadata
        self.render_mode = tasks[0].render_mode

    @override
    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        super().reset(seed=seed)
        if self._task is None:
            self._playing = int(self.np_random.integers(len(self._tasks)))
        if seed is not None:
            # Whichever is drawn later goes on from this seed too.
            for one in self._tasks:
                one.reset(seed=int(self.np_random.integers(2**31)))
        observation, info = self._base.reset(options=options)
        return self._coded(observation), {**info, "task": self._playing}

    @override
    def step(
        self, action: Any
    ) -> tuple[NDArray[np.float32], Any, bool, bool, dict[str, Any]]:
        inner = _own(self._base.action_space, action)
        observation, reward, terminated, truncated, info = self._base.step(inner)
        told = {**info, "task": self._playing}
        return self._coded(observation), reward, terminated, truncated, told

    @override
    def render(self) -> Any:
        return self._base.render()

    @override
    def close(self) -> None:
        for one in self._tasks:
            one.close()

    @property
    def _base(self) -> gym.Env[Any, Any]:
        return self._tasks[self._playing]

    def _coded(self, observation: Any) -> NDArray[np.float32]:
        coded = np.zeros(self.observation_space.shape or 0, np.float32)
        coded[: len(observation)] = observation
        coded[self._width + self._playing] = 1
        return coded


def _joined(own: Sequence[gym.Space[Any]]) -> gym.Space[Any]:
    """Returns the actions that are enough for each of these spaces."""
    choices = [one for one in own if isinstance(one, spaces.Discrete)]
    motors = [
        one
        for one in own
        if isinstance(one, spaces.Box) and len(one.shape) == 1 and one.is_bounded()
    ]
    if len(choices) == len(own):
        return spaces.Discrete(max(int(one.n) for one in choices))
    if len(motors) == len(own):
        return spaces.Box(-1, 1, (max(one.shape[0] for one in motors),), np.float32)
    raise InputError(
        "tasks that share an agent have discrete actions all, or bounded vectors all; "
        f"got {', '.join(map(str, own))}"
    )


def _own(space: gym.Space[Any], action: Any) -> Any:
    """Returns the task's action that a shared one stands for."""
    if isinstance(space, spaces.Discrete):
        return int(space.start) + min(int(action), int(space.n) - 1)
    assert isinstance(space, spaces.Box)
    share = (np.clip(action[: space.shape[0]], -1, 1) + 1) / 2
    inner = space.low + share * (space.high - space.low)
    return inner.astype(space.dtype)


def make_multi_task(
    tasks: object = None, task: object = None, **kwargs: Any
) -> MultiTask:
    """Returns several registered environments as one.

    Args:
        tasks: at least two ids, or mappings with an `id` and what it is made with.
        task: place of the one that is always played, from 0; None: any.
        kwargs: passed on to all tasks, `render_mode` among them.

    Raises:
        InputError: there are no such tasks, or they cannot share an agent.
    """
    named = list(tasks) if isinstance(tasks, list | tuple) else []
    if len(named) < 2 or not all(isinstance(one, str | dict) for one in named):
        raise InputError(
            f"{ENV_ID} needs the ids of two environments or more, got tasks={tasks!r}; "
            "pass for example tasks=['CartPole-v1', 'Acrobot-v1']"
        )
    if task is not None and (type(task) is not int or not 0 <= task < len(named)):
        raise InputError(
            f"the task of {ENV_ID} is a place from 0 to {len(named) - 1}, or none; got "
            f"{task!r}"
        )
    opened: list[gym.Env[Any, Any]] = []
    try:
        for one in named:
            own = {"id": one} if isinstance(one, str) else dict(one)
            env_id = str(own.pop("id", ""))
            if env_id.rpartition(":")[2] == ENV_ID:
                raise InputError(f"a task of {ENV_ID} must not be one itself")
            if {*own} & _OF_ALL:
                raise InputError(
                    f"{' and '.join(sorted(_OF_ALL))} are those of all tasks, got "
                    f"{one!r}; pass them beside tasks"
                )
            # What is around them is checked; checking twice only costs time.
            opened.append(make(env_id, disable_env_checker=True, **kwargs, **own))
        return MultiTask(opened, task)
    except InputError:
        for env in opened:
            env.close()
        raise
