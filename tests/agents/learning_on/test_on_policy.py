"""PPO learns from its own draws, and becomes a plain model that draws as it did."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from stable_baselines3 import PPO

from rltransfer.domain import Domain, StickyRandomPolicy
from rltransfer_agents.learning_on.learn_on_config import LearnOnConfig
from rltransfer_agents.learning_on.learner import Guidance, LearnedPolicy
from rltransfer_agents.learning_on.learner_config import LearnerConfig
from rltransfer_agents.learning_on.on_policy import CLIP, EPOCHS, HORIZON, OnPolicy
from rltransfer_agents.learning_on.replay import Replay, Units
from rltransfer_agents.learning_on.strategies import Exploring
from rltransfer_agents.learning_on.students import clone
from rltransfer_agents.loading import load_agent
from rltransfer_agents.training.student_files import student_files, write_student
from tests.worlds.points import Home, Point

UNITS = Units(np.float32([0.4, -2]), np.float32([3, 0.2]), 2.5)
PLAIN = Units(np.zeros(2, np.float32), np.ones(2, np.float32), 1.0)
ROWS = np.random.default_rng(1).normal(0, 2, (300, 2)).astype(np.float32)
SMALL = LearnerConfig(widths=(16, 8), batch=32)
KINDS = {"choices": True, "motors": False}


def world(discrete: bool) -> Domain:
    return Domain(lambda: Point(continuous=not discrete), "point")


def learner_of(
    discrete: bool, config: LearnerConfig = SMALL, units: Units = PLAIN, seed: int = 0
) -> Any:
    size = world(discrete).actions.size
    return OnPolicy(discrete, (2, size), units, config, np.random.default_rng(seed))


def seen(discrete: bool, policy: Any, steps: int, units: Units = PLAIN) -> Replay:
    """Returns the steps of a policy, beside which are those of one that goes home."""
    domain = world(discrete)
    kept = Replay(domain, units, Home() if discrete else Eastward(), 0.99, 1)
    kept.add(domain.collect(policy, purpose="trial", seed=0, steps=steps).transitions)
    return kept


class Eastward:
    """Pushes east by half."""

    def predict(self, observation: Any, *rest: Any) -> Any:
        rows = np.zeros_like(np.asarray(observation, np.float32))
        rows[..., 0] = 1.0
        return rows, None


def at_random(discrete: bool, steps: int = 600) -> Replay:
    rng = np.random.default_rng(3)
    return seen(discrete, StickyRandomPolicy(world(discrete).actions, rng), steps)


def drawn(learner: Any, discrete: bool, steps: int) -> Replay:
    exploring = Exploring(learner, PLAIN, world(discrete), np.random.default_rng(8))
    return seen(discrete, exploring, steps)


def numbers(learner: Any) -> Any:
    return np.concatenate(
        [learner._actor.numbers, learner._critic.numbers, learner._log_std]
    )


@pytest.mark.parametrize("discrete", KINDS.values(), ids=KINDS)
def test_it_learns_only_from_what_it_drew_and_only_once(discrete: bool) -> None:
    learner = learner_of(discrete)
    kept, begun = drawn(learner, discrete, HORIZON + 8), numbers(learner)
    learner.update(kept, Guidance())
    np.testing.assert_array_equal(numbers(learner), begun)
    learner.drew(range(HORIZON - 1))
    learner.update(kept, Guidance())
    np.testing.assert_array_equal(numbers(learner), begun)
    learner.drew(range(HORIZON - 1, HORIZON + 8))
    learner.update(kept, Guidance())
    moved = numbers(learner)
    assert (moved != begun).mean() > 0.9 and learner.finite
    learner.update(kept, Guidance())
    np.testing.assert_array_equal(numbers(learner), moved)


@pytest.mark.parametrize("discrete", KINDS.values(), ids=KINDS)
def test_it_earns_more_by_its_draws(discrete: bool) -> None:
    config = replace(SMALL, widths=(32,), rate=3e-3)
    learner, domain = learner_of(discrete, config), world(discrete)
    policy = LearnedPolicy(learner, PLAIN, domain.actions)
    before = domain.evaluate(policy, episodes=20, seed=0).mean()
    for _ in range(6):
        kept = drawn(learner, discrete, HORIZON)
        learner.drew(range(HORIZON))
        learner.update(kept, Guidance())
    assert domain.evaluate(policy, episodes=20, seed=0).mean() > before + 3


def test_advantages_are_those_worked_by_hand() -> None:
    learner = learner_of(False, replace(SMALL, discount=0.5))
    learner._critic.numbers[:] = 0
    learner._critic.layers[-1][1][:] = 2  # every state is worth 2
    column = np.float32
    episode = (
        at_random(False)
        .at(np.arange(3))
        ._replace(reward=column([1, 0, 4]), discount=column([0.5, 0.5, 0]))
    )
    # Gaps 1 + 1 - 2, 0 + 1 - 2 and 4 - 2; each counts 0.95 / 2 of the next.
    expected = [0.475 * (-1 + 0.475 * 2), -1 + 0.475 * 2, 2]
    np.testing.assert_allclose(learner._advantages(episode), expected, rtol=1e-6)


def test_densities_are_normal_inside_and_whole_tails_at_the_edge() -> None:
    learner = learner_of(False)
    learner._width.numbers[2:] = np.log(0.5)
    means = np.float32([[0.2, 1.0], [0.2, -3.0]])
    taken = np.float32([[0.7, 1.0], [0.7, 1.0]])
    found = learner._draws(means, taken).log
    # One deviation off: log N(1) - log 0.5; the mean at the edge: half of all draws.
    inside = -0.5 - 0.5 * np.log(2 * np.pi) - np.log(0.5)
    far = torch.special.log_ndtr(torch.tensor(-8.0, dtype=torch.float64)).item()
    np.testing.assert_allclose(found, inside + np.array([np.log(0.5), far]), rtol=1e-5)


@pytest.mark.parametrize("discrete", KINDS.values(), ids=KINDS)
def test_derivatives_are_those_of_small_differences(discrete: bool) -> None:
    learner, rng = learner_of(discrete), np.random.default_rng(2)
    out = rng.normal(size=(6, 4 if discrete else 2))
    taken = np.clip(out + 0.4 * rng.normal(size=out.shape), -1, 1)
    if discrete:
        taken = np.eye(4)[rng.integers(4, size=6)]
    else:
        assert 0 < (np.abs(taken) == 1).sum() < taken.size
    found, small = learner._draws(out, taken), 1e-4
    for place in range(out.shape[1]):
        step = small * np.eye(out.shape[1])[place]
        rise = (
            learner._draws(out + step, taken).log
            - learner._draws(out - step, taken).log
        )
        np.testing.assert_allclose(
            found.by_output[:, place], rise / (2 * small), rtol=2e-3, atol=2e-3
        )
    if not discrete:
        logs, wide = [], learner._width.numbers[2:].copy()
        for sign in (1, -1):
            learner._width.numbers[2:] = wide + sign * 0.01
            logs.append(learner._draws(out, taken).log)
        rise = (logs[0] - logs[1]) / 0.02
        np.testing.assert_allclose(found.by_width.sum(axis=1), rise, rtol=0.02)


def test_no_probability_is_pushed_beyond_the_clip() -> None:
    learner = learner_of(True)
    batch = at_random(True).at(np.arange(32))
    before = learner._draws(learner._actor(batch.observation)[0], batch.action).log
    begun = learner._actor.numbers.copy()
    up = np.ones(32, np.float32)
    # They rose by more than is allowed, so a gain asks for nothing.
    learner._improve(batch, up, before - 2 * CLIP, Guidance())
    np.testing.assert_array_equal(learner._actor.numbers, begun)
    learner._improve(batch, up, before, Guidance())
    assert (learner._actor.numbers != begun).any()


@pytest.mark.parametrize("discrete", [True, False])
def test_the_pull_is_gated_by_the_confidence_of_each_row(discrete: bool) -> None:
    def improved(sure: Any) -> tuple[Any, Any]:
        learner = learner_of(discrete)
        batch = at_random(discrete).at(np.arange(len(sure)))
        batch = batch._replace(confidence=np.float32(sure))
        before = learner._draws(learner._actor(batch.observation)[0], batch.action).log
        begun, still = learner._actor.numbers.copy(), np.zeros(len(sure), np.float32)
        learner._improve(batch, still, before, Guidance(hold=2.0))
        return begun, learner._actor.numbers

    # No advantage pushes: what moves is the pull, and Adam's first step has no scale.
    begun, unsure = improved([0] * 32)
    np.testing.assert_array_equal(unsure, begun)
    _, first_half = improved([1] * 16 + [0] * 16)
    _, alone = improved([1] * 16)
    _, whole = improved([1] * 32)
    np.testing.assert_allclose(first_half, alone, atol=2e-4)
    assert np.abs(first_half - whole).max() > 1e-3


def cloned(discrete: bool) -> tuple[Any, Replay]:
    learner, kept = learner_of(discrete, replace(SMALL, rate=3e-3)), at_random(discrete)
    student = LearnOnConfig(
        np.random.SeedSequence(0), "hold", "ppo", 100, learner=SMALL, clone_updates=1500
    )
    clone(learner, kept, student, np.random.default_rng(0))
    return learner, kept


@pytest.mark.parametrize("discrete", KINDS.values(), ids=KINDS)
def test_a_clone_acts_as_mapped_and_still_draws(discrete: bool) -> None:
    learner, kept = cloned(discrete)
    rows = kept.at(np.arange(len(kept)))
    gap = np.abs(learner.actions(rows.observation) - rows.mapped)
    assert gap.mean() < 0.05
    rng = np.random.default_rng(0)
    draws = np.stack([learner.explore(rows.observation[0], rng) for _ in range(2000)])
    if discrete:
        # A twentieth is spread over all four: the entropy does not collapse.
        shares = np.sort(draws.mean(axis=0))
        assert 0.7 < shares[-1] < 0.985 and shares[0] > 0
    else:
        assert draws[:, 1].std() == pytest.approx(SMALL.noise, rel=0.1)


def test_the_value_of_the_mapped_policy_is_learned_from_its_own_steps() -> None:
    learner = learner_of(False, replace(SMALL, discount=0.5, follow=0.1, rate=3e-3))
    size, rng = 400, np.random.default_rng(4)
    kept = at_random(False, size)
    assert kept._columns is not None
    own = rng.random(size) < 0.5
    shown, taken, reward, after = (kept._columns[n] for n in (0, 1, 2, 3))
    taken[:size] = np.where(own[:, None], kept._columns[5][:size], -1)
    reward[:size, 0] = np.where(own, 1.0, -50.0)
    after[:size, 0] = 0.5
    for _ in range(800):
        learner.evaluate(kept, Guidance())
    # 1 for ever, discounted by a half; other actions cost 50 and do not count.
    values = learner._critic(shown[:size])[0, :, 0]
    np.testing.assert_allclose(values.mean(), 2.0, atol=0.2)


def test_the_pull_holds_it_at_the_mapped_policy() -> None:
    apart = []
    for hold in (0.0, 3.0):
        learner, _ = cloned(True)
        for _ in range(3):
            kept = drawn(learner, True, HORIZON)
            learner.drew(range(HORIZON))
            learner.update(kept, Guidance(hold))
        rows = at_random(True)
        batch = rows.at(np.arange(len(rows)))
        apart.append((learner.actions(batch.observation) != batch.mapped).any(1).mean())
    assert apart[1] < apart[0]


def test_it_rates_no_action_above_another() -> None:
    learner = learner_of(True)
    assert not learner.rates_actions
    one, other = np.eye(4, dtype=np.float32)[:2]
    assert not learner.prefers(ROWS[0], one, other)
    assert not learner.prefers(ROWS[0], other, one)


def test_a_copy_acts_alike_and_learns_apart() -> None:
    learner = learner_of(True)
    other, begun = learner.copy(), numbers(learner)
    np.testing.assert_array_equal(other.actions(ROWS), learner.actions(ROWS))
    kept = drawn(learner, True, HORIZON)
    learner.drew(range(HORIZON))
    other.update(kept, Guidance())  # the draws are not its own
    np.testing.assert_array_equal(numbers(other), begun)
    learner.update(kept, Guidance())
    assert (numbers(learner) != begun).any()
    np.testing.assert_array_equal(numbers(other), begun)


def model_of(discrete: bool, folder: Path) -> tuple[Any, Any, PPO]:
    """Returns a learner whose networks all differ, its policy, and its model."""
    learner = learner_of(discrete, units=UNITS)
    rng = np.random.default_rng(6)
    for network in (learner._actor, learner._critic):
        network.numbers += 0.3 * rng.normal(size=network.numbers.shape)
    if not discrete:
        learner._width.numbers[2:] = -0.5, -1.5
    policy = LearnedPolicy(learner, UNITS, world(discrete).actions)
    learner.model(Point(continuous=not discrete)).save(folder / "model.zip")
    return learner, policy, PPO.load(folder / "model.zip", device="cpu")


@pytest.mark.parametrize("discrete", KINDS.values(), ids=KINDS)
def test_a_plain_model_acts_draws_and_values_alike(
    discrete: bool, tmp_path: Path
) -> None:
    learner, policy, model = model_of(discrete, tmp_path)
    expected, _ = policy.predict(ROWS)
    chosen, _ = model.predict(ROWS, deterministic=True)
    np.testing.assert_allclose(chosen, expected, rtol=1e-4, atol=1e-4)
    assert len(np.unique(expected, axis=0)) > 1
    rows, out = torch.from_numpy(ROWS), learner._actor(UNITS.standard(ROWS))[0]
    with torch.no_grad():
        values = model.policy.predict_values(rows)[:, 0]
        draws: Any = model.policy.get_distribution(rows).distribution
    expected = 2.5 * learner._critic(UNITS.standard(ROWS))[0, :, 0]
    np.testing.assert_allclose(values, expected, rtol=1e-4, atol=1e-4)
    if discrete:
        np.testing.assert_allclose(
            draws.logits, torch.log_softmax(torch.from_numpy(out), 1), atol=1e-4
        )
    else:
        # Full pushes are 2.
        np.testing.assert_allclose(draws.mean, 2 * out, rtol=1e-4, atol=1e-4)
        np.testing.assert_allclose(draws.stddev[0], 2 * np.exp([-0.5, -1.5]), rtol=1e-5)


@pytest.mark.parametrize("discrete", KINDS.values(), ids=KINDS)
def test_a_model_goes_on_as_it_was(discrete: bool, tmp_path: Path) -> None:
    *_, model = model_of(discrete, tmp_path)
    assert model.ent_coef == 0 and model.n_epochs == EPOCHS
    assert model.get_vec_normalize_env() is None
    for left in (1.0, 0.5, 0.0):  # no schedule starts over
        assert model.lr_schedule(left) == SMALL.rate and model.clip_range(left) == CLIP
    model.set_env(Point(continuous=not discrete))
    before = [number.clone() for number in model.policy.parameters()]
    model.learn(HORIZON)
    after = list(model.policy.parameters())
    assert all(torch.isfinite(number).all() for number in after)
    assert all(not torch.equal(*both) for both in zip(before, after, strict=True))


@pytest.mark.parametrize("discrete", KINDS.values(), ids=KINDS)
def test_our_own_loading_opens_it(discrete: bool, tmp_path: Path) -> None:
    learner, policy, _ = model_of(discrete, tmp_path)
    env = Point(continuous=not discrete)
    files = student_files(tmp_path, "ppo", "Pendulum-v1", {}, steps=700, seed=3)
    write_student(files, learner.model, (env.observation_space, env.action_space))
    chosen, _ = load_agent(files.folder).policy.predict(ROWS, deterministic=True)
    expected, _ = policy.predict(ROWS)
    np.testing.assert_allclose(chosen, expected, rtol=1e-4, atol=1e-4)
