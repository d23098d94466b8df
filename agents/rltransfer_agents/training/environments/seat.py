"""One environment of several that an agent learns in."""

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, final

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from rltransfer.errors import EnvironmentFault, UserError


@final
@dataclass(frozen=True, eq=False)
class Moment:
    """Where an environment stands: its last reset and the actions taken since."""

    seed: int | None
    """Handed to that reset."""
    generator_before: dict[str, Any] | None
    """State of its generator before that reset, if no seed was handed over."""
    actions: NDArray[Any]
    observation: NDArray[Any]
    """The last one seen; stepping again must lead to it."""
    generator: dict[str, Any]
    """State of its generator now; stepping again must lead to it."""
    steps: int
    paid: float


@final
class Seat:
    """One environment, checked at every step, its episode kept for replay.

    Args:
        make: makes the environment.
        name: what errors call it.
    """

    def __init__(self, make: Callable[[], gym.Env[Any, Any]], name: str) -> None:
        self.env = make()
        self.name = name
        space = self.env.observation_space
        self._shape = space.shape
        self._dtype = space.dtype
        self._zeros = np.zeros(space.shape or (), space.dtype)
        self._seed: int | None = None
        self._generator_before: dict[str, Any] | None = None
        self._actions: list[Any] = []
        self._observation = self._zeros
        self._steps = 0
        self._paid = 0.0

    def reset(self, seed: int | None = None) -> NDArray[Any]:
        """Starts an episode and returns its first observation."""
        self._generator_before = self._generator() if seed is None else None
        self._seed = seed
        self._actions.clear()
        self._paid = 0.0
        try:
            observation, _ = self.env.reset(seed=seed)
        except UserError:
            raise
        except Exception as fault:
            raise self._raised("reset", fault) from fault
        self._observation = self._checked("observation of reset", observation)
        return self._observation

    def step(self, action: Any) -> tuple[NDArray[Any], float, bool, dict[str, Any]]:
        """Takes one step: its observation, reward, whether it ended, and its info.

        The info of a last step says what Stable-Baselines3 looks for there: the
        episode's return and length, and whether time ran out.
        """
        # A copy, because the environment may write into what it is given.
        self._actions.append(copy.copy(action))
        self._steps += 1
        try:
            observation, reward, terminated, truncated, info = self.env.step(action)
        except UserError:
            raise
        except Exception as fault:
            raise self._raised("step", fault) from fault
        self._observation = self._checked("observation", observation)
        reward = self._checked_reward(reward)
        self._paid += reward
        if terminated or truncated:
            info["episode"] = {"r": self._paid, "l": len(self._actions)}
            info["terminal_observation"] = self._observation
            info["TimeLimit.truncated"] = bool(truncated and not terminated)
            return self._observation, reward, True, info
        return self._observation, reward, False, info

    def hung(self, seconds: float) -> EnvironmentFault:
        """Returns the fault of an environment that does not come back."""
        return self._fault("step", f"has not come back for {seconds:g} s")

    def moment(self) -> Moment:
        """Returns where the environment stands."""
        return Moment(
            self._seed,
            self._generator_before,
            np.array(self._actions),
            np.array(self._observation),
            self._generator(),
            self._steps,
            self._paid,
        )

    def go_to(self, moment: Moment) -> bool:
        """Steps to `moment` again and returns whether that led to the same state."""
        if moment.generator_before is not None:
            self.env.unwrapped.np_random.bit_generator.state = moment.generator_before
        self.reset(moment.seed)
        self._generator_before = moment.generator_before
        for action in moment.actions:
            self.step(action)
        self._steps = moment.steps
        return (
            np.array_equal(self._observation, moment.observation)
            and self._generator() == moment.generator
            and self._paid == moment.paid
        )

    def _generator(self) -> dict[str, Any]:
        state = self.env.unwrapped.np_random.bit_generator.state
        return dict(copy.deepcopy(state))

    def _checked(self, field: str, observation: Any) -> NDArray[Any]:
        array = np.asarray(observation)
        if array.shape != self._shape:
            raise self._fault(field, f"has shape {array.shape}, not {self._shape}")
        if array.dtype != self._dtype:
            if array.dtype.kind not in "biuf":
                raise self._fault(field, f"has type {array.dtype}, not {self._dtype}")
            array = array.astype(self._dtype)
        # Times zero, what is not finite becomes NaN, which differs from itself: the
        # quickest way to look at all of a small array.
        if array.dot(self._zeros) != 0:
            raise self._fault(field, f"is not finite: {array}")
        return array

    def _checked_reward(self, reward: Any) -> float:
        try:
            number = float(reward)
        except (TypeError, ValueError):
            raise self._fault("reward", f"is no number: {reward!r}") from None
        if not math.isfinite(number):
            raise self._fault("reward", f"is not finite: {number}")
        return number

    def _raised(self, field: str, fault: Exception) -> EnvironmentFault:
        return self._fault(field, f"raised {type(fault).__name__}: {fault}")

    def _fault(self, field: str, what: str) -> EnvironmentFault:
        where = f"{self.name}, step {self._steps}"
        return EnvironmentFault(
            f"{where}: {field} {what}; mend the environment or wrap it"
        )
