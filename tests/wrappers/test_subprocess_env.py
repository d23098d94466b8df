"""An environment in a process of its own acts as here, and hangs or dies alone."""

import os
import signal
import time
from functools import partial
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium import spaces

from rltransfer.errors import EnvironmentFault, InputError
from rltransfer.wrappers import SubprocessEnv


class Failing(gym.Env[Any, Any]):
    """Does one thing wrong at its third step, or when it is made."""

    observation_space = spaces.Box(-1, 1, (2,))
    action_space = spaces.Discrete(2)

    def __init__(self, deed: str, at: int = 3) -> None:
        self._deed, self._at, self._steps = deed, at, 0
        if at == 0:
            self._fail()

    def reset(self, *, seed: Any = None, options: Any = None) -> Any:
        return np.zeros(2, np.float32), {}

    def step(self, action: Any) -> Any:
        self._steps += 1
        if self._steps == self._at:
            self._fail()
        return np.zeros(2, np.float32), 0.0, False, False, {}

    def _fail(self) -> None:
        match self._deed:
            case "die":
                os.kill(os.getpid(), signal.SIGKILL)
            case "exit":
                os._exit(3)
            case "hang":
                signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM})
                time.sleep(1000)
            case "raise":
                raise ZeroDivisionError("on purpose")
            case "refuse":
                raise InputError("a rule, got a value; a remedy")


def failing(deed: str, at: int = 3, seconds: float = 30.0) -> SubprocessEnv:
    return SubprocessEnv(partial(Failing, deed, at), "Failing-v0", seconds)


def test_it_acts_as_it_would_here() -> None:
    here = gym.make("CartPole-v1")
    there = SubprocessEnv(partial(gym.make, "CartPole-v1"), "CartPole-v1", 30.0)
    assert there.observation_space == here.observation_space
    assert there.action_space == here.action_space
    assert there.spec is not None and there.spec.max_episode_steps == 500
    np.testing.assert_array_equal(there.reset(seed=3)[0], here.reset(seed=3)[0])
    for action in (0, 1, 1, 0, 1):
        ours, theirs = here.step(action), there.step(action)
        np.testing.assert_array_equal(theirs[0], ours[0])
        assert theirs[1:] == ours[1:]
    there.close()


@pytest.mark.parametrize(
    ("deed", "said"),
    [
        ("die", "step died: killed by SIGKILL"),
        ("exit", "step died: exit code 3"),
        ("hang", "step has not come back for 0.5 s"),
        ("raise", "step with action 0 raised ZeroDivisionError: on purpose"),
    ],
)
def test_what_it_fails_of_is_named(deed: str, said: str) -> None:
    env = failing(deed, seconds=0.5 if deed == "hang" else 30.0)
    env.reset()
    for _ in range(2):
        env.step(0)
    with pytest.raises(EnvironmentFault, match=f"^Failing-v0, step 3: {said}"):
        env.step(0)
    env.close()


@pytest.mark.parametrize(
    ("deed", "said"),
    [
        ("die", "Failing-v0, step 0: start died: killed by SIGKILL"),
        ("raise", "Failing-v0, step 0: start raised ZeroDivisionError: on purpose"),
    ],
)
def test_what_cannot_be_made_is_named(deed: str, said: str) -> None:
    with pytest.raises(EnvironmentFault, match=said):
        failing(deed, at=0)


def test_what_is_refused_there_is_refused_here() -> None:
    with pytest.raises(InputError, match=r"^a rule, got a value; a remedy$"):
        failing("refuse", at=0)


def test_closing_ends_the_process_even_where_it_hangs() -> None:
    env = failing("hang", seconds=0.3)
    env.reset()
    env.step(0)
    env.step(0)
    with pytest.raises(EnvironmentFault, match="has not come back"):
        env.step(0)
    env.close()
    assert not vars(env)["_process"].is_alive()


class Ageing(gym.Env[Any, Any]):
    """Shows how many steps it was told that it took."""

    observation_space, action_space = spaces.Box(0, 99, (1,)), spaces.Discrete(2)
    drift_steps = 0

    def reset(self, *, seed: Any = None, options: Any = None) -> Any:
        return np.full(1, self.drift_steps, np.float32), {}


def test_what_drifts_with_its_steps_goes_on_from_where_it_was() -> None:
    env = SubprocessEnv(Ageing, "Ageing-v0", 30.0)
    env.go_on(7)
    assert (env.steps, env.reset()[0].tolist()) == (7, [7.0])
    env.close()
