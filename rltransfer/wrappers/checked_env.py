"""The innermost wrapper: every step is valid and finite, or a named fault."""

from collections.abc import Sequence
from typing import Any, TypeAlias, final

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from rltransfer.errors import EnvironmentFault, InputError, UserError
from rltransfer.wrappers.env_faults import (
    OLD_GYM,
    Cause,
    env_fault,
    info_cause,
    late_cause,
    raised_cause,
    step_cause,
)
from rltransfer.wrappers.observation_check import (
    LARGEST,
    ArrayCheck,
    check_for,
    checked_reward,
    counted_choices,
    fits_single_precision,
)
from rltransfer.wrappers.step_timeout import StepTimeout
from rltransfer.wrappers.zero_based_env import counted_from_zero

Step: TypeAlias = tuple[Any, float, bool, bool, dict[str, Any]]
"""Observation, reward, terminated, truncated, info: as in Gymnasium, and checked."""
UncheckedStep: TypeAlias = tuple[Any, Any, bool, bool, dict[str, Any]]
"""The same, observation and reward as the environment gave them."""

# An environment that wants to end the process is as faulty as one that raises.
_FAULTS = (Exception, SystemExit)


@final
class CheckedEnv(gym.Wrapper[Any, Any, Any, Any]):
    """An environment whose observations and rewards are valid, or a fault.

    Discrete and MultiDiscrete actions and observations are counted from 0, whatever
    `start` the environment's own spaces have.

    Args:
        env: any environment.
        name: what faults call it.
        dtype: of observations that are one Box; by default as the space says.

    Raises:
        EnvironmentFault: from `reset` and `step`; names environment, step and cause.
    """

    def __init__(self, env: gym.Env[Any, Any], name: str, dtype: Any = None) -> None:
        super().__init__(counted_from_zero(env))
        self.declared_spaces = env.observation_space, env.action_space
        """As the environment itself has them; choices may start anywhere."""
        self.name = name
        self.timeout = StepTimeout()
        """Knows which call is running; raises once it is active."""
        self.steps = 0
        """Taken since the environment was made."""
        self.check = check_for(self.observation_space, dtype)
        """Of observations."""
        self._call = "reset"
        # Bound once, as every step hands it to the time-out.
        self._late = self.timeout_fault
        self._choices = counted_choices(self.action_space)

    @override
    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        timeout = self.timeout
        timeout.calls += 1
        self._call = "reset"
        timeout.running = self._late
        try:
            result = self.env.reset(seed=seed, options=options)
        except UserError:
            raise
        except _FAULTS as fault:
            raise self._fault(raised_cause("reset", fault)) from fault
        finally:
            timeout.running = None
        try:
            if not isinstance(result, tuple) or len(result) != 2:
                raise Cause("reset returned an observation without info", OLD_GYM)
            if not isinstance(result[1], dict):
                raise info_cause(result[1])
            return self.check("observation of reset", result[0]), result[1]
        except Cause as cause:
            raise self._fault(cause) from cause

    def go_on(self, steps: int) -> None:
        """Counts `steps` as taken; what drifts with its steps is where it was then.

        An environment says that it does by an attribute `drift_steps`, which is set.
        """
        self.steps = steps
        if hasattr(self.unwrapped, "drift_steps"):
            self.unwrapped.drift_steps = steps

    @override
    def step(self, action: Any) -> Step:
        observation, reward, terminated, truncated, info = self.step_unchecked(action)
        observation, reward = self.check_step(observation, reward)
        return observation, reward, terminated, truncated, info

    def step_unchecked(self, action: Any) -> UncheckedStep:
        """Takes one step; its observation and reward are not checked yet.

        For several environments, which `check_together` checks at once.
        """
        choices = self._choices
        if choices is not None and not (
            0 <= action < choices
            if type(choices) is int
            else np.all((np.asarray(action) >= 0) & (np.asarray(action) < choices))
        ):
            raise InputError(
                f"the actions of {self.name} are counted from 0 to {choices - 1}, the "
                f"policy chose {action}; use a policy made for this environment"
            )
        if type(choices) is int and isinstance(action, np.ndarray):
            # Tables look an action up, and an array of no dimension cannot be.
            action = action[()]
        self.steps += 1
        timeout = self.timeout
        timeout.calls += 1
        self._call = "step"
        timeout.running = self._late
        try:
            result: Any = self.env.step(action)
        except UserError:
            raise
        except _FAULTS as fault:
            call = f"step with action {action}"
            raise self._fault(raised_cause(call, fault)) from fault
        finally:
            timeout.running = None
        try:
            observation, reward, terminated, truncated, info = result
            # Of an array, say, this is ambiguous.
            terminated, truncated = bool(terminated), bool(truncated)
        except (TypeError, ValueError) as fault:
            raise self._fault(step_cause(result)) from fault
        if not isinstance(info, dict):
            raise self._fault(info_cause(info))
        return observation, reward, terminated, truncated, info

    def check_step(self, observation: Any, reward: Any) -> tuple[Any, float]:
        """Returns the observation and the reward of a step, checked."""
        try:
            number = checked_reward(reward)
            return self.check("observation", observation), number
        except Cause as cause:
            raise self._fault(cause) from cause

    def timeout_fault(self, seconds: float) -> EnvironmentFault:
        """Returns the fault of a call that has lasted for `seconds`."""
        return self._fault(late_cause(self._call, seconds))

    def _fault(self, cause: Cause) -> EnvironmentFault:
        return env_fault(self.name, self.steps, cause)


def check_together(
    checked_envs: Sequence[CheckedEnv],
    observations: Sequence[Any],
    rewards: Sequence[Any],
) -> tuple[NDArray[Any], list[float]]:
    """Checks one step of several environments at little more than the price of one.

    Args:
        checked_envs: of one kind; their observations are one array each.
        observations: of each, as `step_unchecked` returned it.
        rewards: of each.

    Returns:
        Observations, stacked, and rewards.

    Raises:
        EnvironmentFault: of the first whose step is not valid.
    """
    check = checked_envs[0].check
    assert isinstance(check, ArrayCheck)
    try:
        stacked = np.array(observations)
        numbers = [float(reward) for reward in rewards]
        if (
            stacked.shape == (len(checked_envs), *check.shape)
            and stacked.dtype == check.dtype
            and sum(map(abs, numbers)) <= LARGEST
            and fits_single_precision(stacked)
        ):
            return stacked, numbers
    except (TypeError, ValueError):
        pass  # which of them it was is found out below
    checked = [
        env.check_step(observation, reward)
        for env, observation, reward in zip(
            checked_envs, observations, rewards, strict=True
        )
    ]
    return np.array([row for row, _ in checked]), [number for _, number in checked]


SEEDS_IGNORED = (
    "reset(seed=…) does not decide how episodes start, so that figures for the same "
    "seeds differ from run to run"
)
"""What tables say of an environment whose seeds are ignored."""
