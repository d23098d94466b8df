"""Environments of old Gym are recognised, and can be wrapped."""

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium import spaces

from rltransfer.errors import EnvironmentFault
from rltransfer.wrappers import CheckedEnv, OldGymEnv


class Old(gym.Env[Any, Any]):
    """Reset without info, step with one `done` after two steps."""

    observation_space = spaces.Box(-1, 1, (2,))
    action_space = spaces.Discrete(2)
    out_of_time = False

    def reset(self, seed: Any = None, options: Any = None) -> Any:
        self.count = 0
        return np.zeros(2, np.float32)

    def step(self, action: Any) -> Any:
        self.count += 1
        info = {"TimeLimit.truncated": True} if self.out_of_time else {}
        return np.zeros(2, np.float32), 1.0, self.count == 2, info


class OldStep(Old):
    """Half way: only step is old."""

    def reset(self, seed: Any = None, options: Any = None) -> Any:
        return super().reset(), {}


class NoSeed(Old):
    """Takes its seed by a method of its own."""

    seeds: tuple[int, ...] = ()

    def seed(self, seed: int) -> None:
        self.seeds = (*self.seeds, seed)

    def reset(self) -> Any:  # type: ignore[override]
        return super().reset()


def acted(env: gym.Env[Any, Any]) -> list[Any]:
    env.reset(seed=5)
    return [env.step(0)[2:4] for _ in range(2)]


@pytest.mark.parametrize("behind_gymnasium", [False, True], ids=["bare", "wrapped"])
@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (Old, "step 0: reset returned an observation without info"),
        (OldStep, "step 1: step.* returned 4 values, not 5"),
        (NoSeed, "step 0: reset takes no seed"),
    ],
)
@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::DeprecationWarning")
def test_an_old_interface_is_named(
    kind: type[Old], said: str, behind_gymnasium: bool
) -> None:
    env: gym.Env[Any, Any] = kind()
    if behind_gymnasium:
        env = gym.wrappers.TimeLimit(gym.wrappers.PassiveEnvChecker(env), 10)
    remedy = "this is the interface of old Gym: put rltransfer.wrappers.OldGymEnv"
    with pytest.raises(EnvironmentFault, match=f"^Old-v0, {said}; {remedy}"):
        acted(CheckedEnv(env, "Old-v0"))


@pytest.mark.parametrize("kind", [Old, OldStep, NoSeed])
def test_the_remedy_works(kind: type[Old]) -> None:
    env = CheckedEnv(OldGymEnv(kind()), "Old-v0")
    assert acted(env) == [(False, False), (True, False)]


def test_a_time_limit_of_old_gym_truncates() -> None:
    old = Old()
    old.out_of_time = True
    assert acted(OldGymEnv(old)) == [(False, False), (False, True)]


def test_a_seed_is_handed_over_the_old_way() -> None:
    old = NoSeed()
    acted(OldGymEnv(old))
    assert old.seeds == (5,)
