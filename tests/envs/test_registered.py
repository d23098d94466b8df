"""What every registered environment promises."""

import pickle
import warnings
from dataclasses import dataclass, field
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from stable_baselines3.common.env_checker import check_env as check_env_of_sb3

from rltransfer_envs import register
from rltransfer_envs.making import REGISTRATIONS, make

SCRAMBLED = "rltransfer/Scrambled-v0"


@dataclass(frozen=True)
class Task:
    env_id: str
    limit: int
    kwargs: dict[str, Any] = field(default_factory=dict)
    lasts: bool = True
    """Whether the simplest behaviour reaches the time limit."""
    draws: bool = True
    """Whether it renders without a graphics card."""

    def make(self, **more: Any) -> gym.Env:
        return gym.make(self.env_id, **self.kwargs, **more)


def scrambled(base: str, limit: int, **rest: Any) -> Task:
    return Task(SCRAMBLED, limit, {"base": base, "seed": 3}, **rest)


def sensors(kind: str, base: str, limit: int, **rest: Any) -> Task:
    kwargs = {"base": base, "kind": kind, "seed": 3}
    return Task("rltransfer/Sensors-v0", limit, kwargs, **rest)


def filmed(base: str, limit: int, **rest: Any) -> Task:
    kwargs = {"base": base, "seed": 3}
    return Task("rltransfer/Camera-v0", limit, kwargs, **rest)


def drifting(base: str, limit: int, **rest: Any) -> Task:
    # Gymnasium's checker wants a step repeated after a reset: so slow a drift passes.
    kwargs = {"base": base, "seed": 3, "steps": 10**9}
    return Task("rltransfer/Drifting-v0", limit, kwargs, **rest)


TASKS = [
    scrambled("CartPole-v1", 500, lasts=False),
    scrambled("Acrobot-v1", 500),
    scrambled("Pendulum-v1", 200),
    scrambled("MountainCarContinuous-v0", 999),
    scrambled("LunarLander-v3", 1000, lasts=False),
    scrambled("HalfCheetah-v5", 1000, draws=False),
    scrambled("rltransfer/Pendulum-v0", 200),
    sensors("extra", "CartPole-v1", 500, lasts=False),
    sensors("noisy", "Pendulum-v1", 200),
    sensors("warped", "Acrobot-v1", 500),
    sensors("units", "HalfCheetah-v5", 1000, draws=False),
    sensors("twice", "MountainCarContinuous-v0", 999),
    sensors("positions", "Pendulum-v1", 200),
    sensors("delayed", "Pendulum-v1", 200),
    sensors("buttons", "CartPole-v1", 500, lasts=False),
    Task(
        "rltransfer/MultiTask-v0",
        200,
        {"tasks": ["Pendulum-v1", {"id": "rltransfer/Pendulum-v0", "gravity": 14.0}]},
    ),
    drifting("Pendulum-v1", 200),
    filmed("CartPole-v1", 500, lasts=False),
    filmed("Pendulum-v1", 200),
    Task("rltransfer/CartPole-v0", 500, {"pole_mass": 0.3}, lasts=False),
    Task("rltransfer/Acrobot-v0", 500, {"lower_mass": 2}),
    Task("rltransfer/Pendulum-v0", 200, {"max_torque": 3.0, "max_speed": 6.0}),
    Task("rltransfer/MountainCar-v0", 200, {"gravity": 0.002}),
    Task("rltransfer/MountainCarContinuous-v0", 999, {"power": 0.0012}),
    Task("rltransfer/MountainCarLeft-v0", 999),
    Task("rltransfer/MountainCar3D-v0", 1000, draws=False),
    Task("rltransfer/Swimmer-v0", 1000, {"links": 4}, draws=False),
    Task("rltransfer/HalfCheetah-v0", 1000, {"gravity": 5, "mass": 1.2}, draws=False),
    Task("rltransfer/HalfCheetah-v0", 1000, {"legs": 3, "torso": 1.2}, draws=False),
    Task("rltransfer/Hopper-v0", 1000, {"torso": 1.2}, lasts=False, draws=False),
    Task("rltransfer/TicTacToe-v0", 9, {"swapped": True}, lasts=False, draws=False),
    Task("rltransfer/ConnectFour-v0", 42, {"plies": 1}, lasts=False, draws=False),
    Task("rltransfer/Reacher-v0", 50, {"joints": 3}, draws=False),
]


def named(task: Task) -> str:
    return "-".join([task.env_id, *map(str, task.kwargs.values())])


@pytest.fixture(params=TASKS, ids=named)
def task(request: pytest.FixtureRequest) -> Task:
    chosen: Task = request.param
    return chosen


@pytest.fixture(autouse=True)
def no_screen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")


def trajectory(env: gym.Env, steps: int, seed: int) -> list[Any]:
    env.action_space.seed(seed)
    observation, _ = env.reset(seed=seed)
    seen: list[Any] = [observation]
    for _ in range(steps):
        *outcome, _ = env.step(env.action_space.sample())
        seen += outcome
        if outcome[2] or outcome[3]:
            seen.append(env.reset()[0])
    return seen


def test_no_registered_environment_goes_untested() -> None:
    assert {task.env_id for task in TASKS} == set(REGISTRATIONS)


def test_registering_again_changes_and_says_nothing(task: Task) -> None:
    before = gym.spec(task.env_id)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        register()
    assert gym.spec(task.env_id) is before


def test_gymnasium_finds_no_fault(task: Task) -> None:
    with warnings.catch_warnings():
        # Unbounded readings and torques other than 1 are meant.
        warnings.filterwarnings("ignore", message=".*(infinity|normalized space).*")
        warnings.filterwarnings("ignore", category=DeprecationWarning)
        check_env(task.make().unwrapped, skip_render_check=not task.draws)


def test_stable_baselines3_finds_no_fault(task: Task) -> None:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*normalize.*action space.*")
        check_env_of_sb3(task.make(), skip_render_check=not task.draws)


def test_the_same_seed_gives_the_same_trajectory(task: Task) -> None:
    once, again, other = (
        trajectory(task.make(), steps=60, seed=seed) for seed in (7, 7, 8)
    )
    assert len(once) == len(again)
    assert all(np.array_equal(a, b) for a, b in zip(once, again, strict=True))
    assert not np.array_equal(once[0], other[0])


def test_spaces_hold_what_is_seen_and_survive_pickling(task: Task) -> None:
    env = task.make()
    observation, _ = env.reset(seed=0)
    assert observation in env.observation_space
    assert observation in pickle.loads(pickle.dumps(env.observation_space))
    assert env.action_space.sample() in pickle.loads(pickle.dumps(env.action_space))


@pytest.mark.parametrize("task", [task for task in TASKS if task.lasts], ids=named)
def test_episodes_are_cut_at_the_time_limit_and_not_before(task: Task) -> None:
    env = task.make()
    env.reset(seed=0)
    space = env.action_space
    still = 1 if isinstance(space, gym.spaces.Discrete) else np.zeros(space.shape, "f4")
    for _ in range(task.limit - 1):
        _, _, terminated, truncated, _ = env.step(still)
        assert not terminated
        assert not truncated
    _, _, terminated, truncated, _ = env.step(still)
    assert not terminated
    assert truncated


def test_it_can_be_made_again_from_its_spec(task: Task) -> None:
    env = task.make()
    assert env.spec is not None
    stored = gym.envs.registration.EnvSpec.from_json(env.spec.to_json())
    again = gym.make(pickle.loads(pickle.dumps(stored)))
    ours, theirs = trajectory(env, 20, seed=1), trajectory(again, 20, seed=1)
    assert all(np.array_equal(a, b) for a, b in zip(ours, theirs, strict=True))


@pytest.mark.parametrize("task", [task for task in TASKS if task.draws], ids=named)
def test_pictures_pass_through(task: Task) -> None:
    env = task.make(render_mode="rgb_array")
    assert env.render_mode == "rgb_array"
    env.reset(seed=0)
    picture = env.render()
    assert isinstance(picture, np.ndarray)
    assert picture.ndim == 3
    env.close()


def test_it_runs_in_several_processes() -> None:
    envs = gym.make_vec(
        SCRAMBLED, 2, vectorization_mode="async", base="Pendulum-v1", seed=1
    )
    observations, _ = envs.reset(seed=0)
    assert observations.shape == (2, 3)
    envs.close()


def test_gymnasium_can_import_the_package_by_itself() -> None:
    env = gym.make(f"rltransfer_envs:{SCRAMBLED}", base="CartPole-v1", seed=3)
    assert env.observation_space.shape == (4,)


def test_make_is_gymnasiums_make() -> None:
    ours, theirs = make("CartPole-v1"), gym.make("CartPole-v1")
    assert ours.spec == theirs.spec
