"""A call that does not come back is ended; slow ones are not."""

import signal
import threading
import time
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium import spaces

from rltransfer.errors import EnvironmentFault, InputError
from rltransfer.wrappers import CheckedEnv, StepTimeout, make_in_time


class Slow(gym.Env[Any, Any]):
    """Sleeps a while in every call."""

    observation_space = spaces.Box(-1, 1, (2,))
    action_space = spaces.Discrete(2)

    def __init__(self, seconds: float, *, stubborn: bool = False) -> None:
        self.seconds, self.stubborn = seconds, stubborn

    def reset(self, *, seed: Any = None, options: Any = None) -> Any:
        return self._slept(), {}

    def step(self, action: Any) -> Any:
        return self._slept(), 0.0, False, False, {}

    def _slept(self) -> Any:
        end = time.monotonic() + self.seconds
        while time.monotonic() < end:
            try:
                time.sleep(0.01)
            except EnvironmentFault:
                if not self.stubborn:
                    raise
                self.stubborn = False
        return np.zeros(2, np.float32)


def timed(env: Slow, timeout: StepTimeout) -> CheckedEnv:
    checked = CheckedEnv(env, "Slow-v0")
    checked.timeout = timeout
    return checked


def test_a_call_that_lasts_too_long_is_named() -> None:
    env = Slow(0.0)
    with StepTimeout(0.2).active() as timeout:
        checked = timed(env, timeout)
        checked.reset()
        checked.step(0)
        env.seconds = 60
        with pytest.raises(
            EnvironmentFault,
            match=r"Slow-v0, step 2: step has not come back for 0\.2 s",
        ):
            checked.step(0)
        with pytest.raises(EnvironmentFault, match="reset has not come back"):
            checked.reset()


def test_many_short_calls_are_not_one_long_one() -> None:
    with StepTimeout(0.4).active() as timeout:
        checked = timed(Slow(0.05), timeout)
        checked.reset()
        for _ in range(20):
            checked.step(0)
        # Nor is what happens between two steps.
        time.sleep(0.8)
        checked.step(0)


def test_an_environment_that_swallows_the_fault_is_ended_again() -> None:
    with StepTimeout(0.1).active() as timeout:
        checked = timed(Slow(60, stubborn=True), timeout)
        with pytest.raises(EnvironmentFault, match="has not come back"):
            checked.reset()


def test_the_clock_is_left_as_it_was() -> None:
    before = signal.getsignal(signal.SIGALRM)
    with StepTimeout(0.05).active():
        assert signal.getsignal(signal.SIGALRM) != before
    assert signal.getsignal(signal.SIGALRM) == before
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_one_time_out_within_another_leaves_it_running() -> None:
    with StepTimeout(0.3).active() as timeout:
        with StepTimeout(60.0).active():
            pass
        with pytest.raises(EnvironmentFault, match=r"not come back for 0\.3 s"):
            timed(Slow(60.0), timeout).reset()


def test_what_hangs_while_it_is_made_is_named() -> None:
    with pytest.raises(EnvironmentFault, match="Slow-v0: making it has not come back"):
        make_in_time(lambda: time.sleep(60), "Slow-v0", 0.1, start_seconds=0.1)
    assert make_in_time(lambda: 7, "Slow-v0", 0.1) == 7


def test_outside_the_main_thread_nothing_is_ended() -> None:
    returned: list[object] = []

    def act() -> None:
        with StepTimeout(0.05).active() as timeout:
            returned.append(timed(Slow(0.3), timeout).reset())

    thread = threading.Thread(target=act)
    thread.start()
    thread.join()
    assert len(returned) == 1


@pytest.mark.parametrize("seconds", [0.0, -1.0, float("nan"), float("inf")])
def test_an_impossible_time_is_refused(seconds: float) -> None:
    with pytest.raises(InputError, match="--step-seconds is a time above 0, got"):
        StepTimeout(seconds)
