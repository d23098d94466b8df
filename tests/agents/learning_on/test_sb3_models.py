"""Learners become plain Stable-Baselines3 models, which act and learn on as they do."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from stable_baselines3 import DQN, SAC, TD3

from rltransfer.domain import Domain, StickyRandomPolicy
from rltransfer_agents.learning_on.actor_critic import ActorCritic
from rltransfer_agents.learning_on.learner import Guidance, LearnedPolicy
from rltransfer_agents.learning_on.learner_config import LearnerConfig
from rltransfer_agents.learning_on.q_learner import QLearner
from rltransfer_agents.learning_on.replay import Replay, Units
from rltransfer_agents.loading import load_agent
from rltransfer_agents.training.student_files import student_files, write_student
from tests.worlds.points import Home, Point

KINDS: dict[str, Any] = {"td3": TD3, "sac": SAC, "dqn": DQN}
UNITS = Units(np.float32([0.4, -2]), np.float32([3, 0.2]), 2.5)
ROWS = np.random.default_rng(1).normal(0, 2, (300, 2)).astype(np.float32)
SMALL = LearnerConfig(widths=(16, 8), batch=32)
# Nothing is drawn, and what learns does not move: what acts is what was exported.
STILL = LearnerConfig(
    widths=(16, 8), batch=32, rate=1e-12, noise=0.0, random_choices=0.0
)


def world(kind: str) -> Point:
    return Point(continuous=kind != "dqn")


def learned(kind: str, config: LearnerConfig = SMALL) -> Any:
    """Returns a learner after some updates, so that no two networks are alike."""
    rng, domain = np.random.default_rng(0), Domain(lambda: world(kind), "point")
    sizes = 2, domain.actions.size
    learner: Any = (
        QLearner(sizes, UNITS, config, rng)
        if kind == "dqn"
        else ActorCritic(kind, sizes, UNITS, config, rng)  # type: ignore[arg-type]
    )
    kept = Replay(domain, UNITS, None, config.discount, 1)
    random = StickyRandomPolicy(domain.actions, rng)
    kept.add(domain.collect(random, purpose="trial", seed=0, steps=100).transitions)
    for _ in range(40):
        learner.update(kept, Guidance())
    return learner


def policy_of(learner: Any, kind: str) -> LearnedPolicy:
    return LearnedPolicy(learner, UNITS, Domain(lambda: world(kind), "point").actions)


def through_a_file(model: Any, folder: Path, env: gym.Env[Any, Any]) -> Any:
    model.save(folder / "model.zip")
    return type(model).load(folder / "model.zip", env=env, device="cpu")


@pytest.mark.parametrize("kind", KINDS)
def test_a_model_acts_as_its_learner(kind: str, tmp_path: Path) -> None:
    learner = learned(kind)
    expected, _ = policy_of(learner, kind).predict(ROWS)
    model = learner.model(world(kind))
    assert type(model) is KINDS[kind]
    loaded = KINDS[kind].load(_saved(model, tmp_path))
    for one in (model, loaded):
        chosen, _ = one.predict(ROWS, deterministic=True)
        np.testing.assert_allclose(chosen, expected, rtol=1e-5, atol=1e-5)
    assert len(np.unique(expected, axis=0)) > 1


def _saved(model: Any, folder: Path) -> Path:
    model.save(folder / "model.zip")
    return folder / "model.zip"


@pytest.mark.parametrize("kind", ["td3", "sac"])
def test_critics_give_the_learners_values_as_the_environment_pays(kind: str) -> None:
    learner = learned(kind)
    model = learner.model(world(kind))
    action = np.random.default_rng(2).uniform(-1, 1, (300, 2)).astype(np.float32)
    rated = np.concatenate([UNITS.standard(ROWS), action], axis=1)
    for critic, module in (
        (learner._critic, model.critic),
        (learner._slow_critic, model.critic_target),
    ):
        with torch.no_grad():
            values = module(torch.from_numpy(ROWS), torch.from_numpy(action))
        for expected, value in zip(critic(rated), values, strict=True):
            np.testing.assert_allclose(value, 2.5 * expected, rtol=1e-4, atol=1e-4)


def test_a_slow_actor_is_exported_too() -> None:
    learner = learned("td3")
    model = learner.model(world("td3"))
    expected = np.tanh(learner._slow_actor(UNITS.standard(ROWS))[0])
    with torch.no_grad():
        slow = model.actor_target(torch.from_numpy(ROWS))
    np.testing.assert_allclose(slow, expected, atol=1e-5)


def test_q_networks_give_the_learners_values_as_the_environment_pays() -> None:
    learner = learned("dqn")
    model = learner.model(world("dqn"))
    for network, module in (
        (learner._acting, model.q_net),
        (learner._slow, model.q_net_target),
    ):
        with torch.no_grad():
            values = module(torch.from_numpy(ROWS))
        expected = 2.5 * network(UNITS.standard(ROWS))[0]
        np.testing.assert_allclose(values, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_a_model_goes_on_learning(kind: str, tmp_path: Path) -> None:
    env = world(kind)
    model = through_a_file(learned(kind).model(env), tmp_path, env)
    before = [number.clone() for number in model.policy.parameters()]
    model.learn(40, reset_num_timesteps=False)
    after = list(model.policy.parameters())
    assert model.num_timesteps == 40
    assert all(torch.isfinite(number).all() for number in after)
    moved = [
        not torch.equal(one, other) for one, other in zip(before, after, strict=True)
    ]
    assert all(moved)


class Noted(gym.Wrapper[Any, Any, Any, Any]):
    """Notes what it showed, and what was done then."""

    def __init__(self, env: gym.Env[Any, Any]) -> None:
        super().__init__(env)
        self.shown: list[Any] = []
        self.done: list[Any] = []

    def reset(self, **how: Any) -> Any:
        self._last, info = self.env.reset(**how)
        return self._last, info

    def step(self, action: Any) -> Any:
        self.shown.append(self._last)
        self.done.append(np.array(action))
        self._last, *rest = self.env.step(action)
        return self._last, *rest


@pytest.mark.parametrize("kind", ["td3", "dqn"])
@pytest.mark.parametrize("anew", [False, True])
def test_no_model_begins_with_random_actions(
    kind: str, anew: bool, tmp_path: Path
) -> None:
    learner, env = learned(kind, STILL), Noted(world(kind))
    model = through_a_file(learner.model(env), tmp_path, env)
    for _ in range(2):  # `learn` counts from 0 again where it is asked to
        model.learn(30, reset_num_timesteps=anew)
    assert len(env.done) == 60
    expected, _ = policy_of(learner, kind).predict(np.stack(env.shown))
    np.testing.assert_allclose(np.stack(env.done), expected, atol=1e-4)


def test_sac_draws_its_first_actions_around_the_learners(tmp_path: Path) -> None:
    learner, env = learned("sac", STILL), Noted(world("sac"))
    for network in (learner._actor, learner._acting):
        # Its last outputs are the logarithms of how widely it draws.
        network.layers[-1][0][:, :, 2:] = 0
        network.layers[-1][1][:, :, 2:] = -6
    model = through_a_file(learner.model(env), tmp_path, env)
    model.learn(30, reset_num_timesteps=False)
    expected, _ = policy_of(learner, "sac").predict(np.stack(env.shown))
    np.testing.assert_allclose(np.stack(env.done), expected, atol=0.05)


def test_the_width_of_sacs_draws_is_the_learners_and_is_bounded() -> None:
    learner = learned("sac")
    # One far too narrow, one far too wide.
    learner._acting.layers[-1][1][0, 0, 2:] = -50, 50
    model = learner.model(world("sac"))
    with torch.no_grad():
        _, log_std, _ = model.actor.get_action_dist_params(torch.from_numpy(ROWS))
    expected = np.clip(learner._acting(UNITS.standard(ROWS))[0, :, 2:], -20, 2)
    np.testing.assert_allclose(log_std, expected, rtol=1e-5, atol=1e-5)
    assert set(expected[:, 0]) == {-20} and set(expected[:, 1]) == {2}


def test_the_entropy_coefficient_goes_on_from_what_was_learned(tmp_path: Path) -> None:
    learner, env = learned("sac"), world("sac")
    heat = learner._temperature.value
    assert abs(heat - 0.1) > 1e-3
    # What becomes a model is a copy of what learned.
    model = through_a_file(learner.copy().model(env), tmp_path, env)
    assert model.log_ent_coef.exp().item() == pytest.approx(2.5 * heat, rel=1e-4)
    assert model.target_entropy == -2
    model.learn(5, reset_num_timesteps=False)
    assert model.log_ent_coef.exp().item() == pytest.approx(2.5 * heat, rel=0.02)


@pytest.mark.parametrize("kind", KINDS)
def test_no_schedule_starts_over(kind: str, tmp_path: Path) -> None:
    env = world(kind)
    model = through_a_file(learned(kind).model(env), tmp_path, env)
    model.learn(10, reset_num_timesteps=False)
    for left in (1.0, 0.5, 0.0):
        assert model.lr_schedule(left) == SMALL.rate
        if kind == "dqn":
            assert model.exploration_schedule(left) == SMALL.random_choices
    if kind == "dqn":
        assert model.exploration_rate == SMALL.random_choices


def test_td3_goes_on_exploring(tmp_path: Path) -> None:
    learner = learned("td3", replace(STILL, noise=0.3))
    env = Noted(world("td3"))
    model = through_a_file(learner.model(env), tmp_path, env)
    model.learn(60, reset_num_timesteps=False)
    expected, _ = policy_of(learner, "td3").predict(np.stack(env.shown))
    # Full actions are 2; some of the noise is cut off at the edge.
    assert 0.2 < (np.stack(env.done) - expected).std() < 0.7


@pytest.mark.parametrize("kind", KINDS)
def test_there_are_no_statistics_that_could_be_fresh(kind: str, tmp_path: Path) -> None:
    learner, env = learned(kind, STILL), world(kind)
    model = through_a_file(learner.model(env), tmp_path, env)
    assert model.get_vec_normalize_env() is None
    assert [path.name for path in tmp_path.iterdir()] == ["model.zip"]
    model.learn(30, reset_num_timesteps=False)
    expected, _ = policy_of(learner, kind).predict(ROWS)
    chosen, _ = model.predict(ROWS, deterministic=True)
    np.testing.assert_allclose(chosen, expected, atol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_our_own_loading_opens_it(kind: str, tmp_path: Path) -> None:
    learner, env = learned(kind), world(kind)
    files = student_files(tmp_path, kind, "Pendulum-v1", {}, steps=700, seed=3)
    write_student(files, learner.model, (env.observation_space, env.action_space))
    chosen, _ = load_agent(files.folder).policy.predict(ROWS, deterministic=True)
    expected, _ = policy_of(learner, kind).predict(ROWS)
    np.testing.assert_allclose(chosen, expected, rtol=1e-5, atol=1e-5)


def test_a_clone_of_a_good_policy_is_not_lost_by_learning_on(tmp_path: Path) -> None:
    domain, rng = Domain(Point, "point"), np.random.default_rng(0)
    kept = Replay(domain, UNITS, Home(), 0.99, 1)
    random = StickyRandomPolicy(domain.actions, rng)
    kept.add(domain.collect(random, purpose="trial", seed=0, steps=400).transitions)
    learner = QLearner((2, 4), UNITS, SMALL, rng)
    for _ in range(400):
        learner.imitate(kept.batch(64, rng))
    model = through_a_file(learner.model(Point()), tmp_path, Point())
    earned = [domain.evaluate(model, episodes=10, seed=0).mean()]
    model.learn(20, reset_num_timesteps=False)
    earned.append(domain.evaluate(model, episodes=10, seed=0).mean())
    assert min(earned) > domain.evaluate(random, episodes=10, seed=0).mean() + 2
