"""Each learner finds what is known to be best, on the smallest tasks that tell."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from rltransfer.domain import Domain, Policy, Transitions
from rltransfer.translation import (
    EnsembleConfig,
    EnsemblePolicy,
    MappedPolicy,
    Translation,
)
from rltransfer_agents.learning_on.actor_critic import ActorCritic
from rltransfer_agents.learning_on.learner import Guidance, LearnedPolicy, Learner
from rltransfer_agents.learning_on.learner_config import LearnerConfig
from rltransfer_agents.learning_on.q_learner import QLearner
from rltransfer_agents.learning_on.replay import Batch, Replay, Units
from tests.worlds.line import Line
from tests.worlds.points import Chooser

SMALL = LearnerConfig(widths=(16,), batch=32, rate=1e-2, discount=0.5, follow=0.1)
THOROUGH = replace(SMALL, widths=(32, 32), batch=64, rate=3e-3)
"""Where the critic's peak must lie where the best action is."""
PLAIN = Units(np.zeros(1, np.float32), np.ones(1, np.float32), 1.0)
KINDS = ("td3", "sac", "dqn")
SHOWN = np.linspace(-1, 1, 9, dtype=np.float32)[:, None]
SURE = np.float32([1, 0.5, 0, 0.25, 1, 0.1])
"""How sure the mapped policy is in the first of these."""


def learner_of(kind: str, config: LearnerConfig = SMALL, seed: int = 0) -> Any:
    rng = np.random.default_rng(seed)
    if kind == "dqn":
        return QLearner((1, 3), PLAIN, config, rng)
    return ActorCritic(kind, (1, 1), PLAIN, config, rng)  # type: ignore[arg-type]


def domain_of(kind: str) -> Domain:
    def make() -> Line:
        env = Line(continuous=kind != "dqn")
        if kind == "dqn":
            env.action_space.n = np.int64(3)
        return env

    return Domain(make, "line")


def bandit(
    kind: str,
    pays: Callable[[Any], Any],
    mapped: Policy | None = None,
    over: bool = True,
) -> Replay:
    """Returns steps, all of them last ones if `over`, with random actions."""
    rng, size = np.random.default_rng(5), 400
    seen = torch.from_numpy(rng.uniform(-1, 1, (size, 1)).astype(np.float32))
    if kind == "dqn":
        action = np.eye(3, dtype=np.float32)[rng.integers(3, size=size)]
    else:
        action = rng.uniform(-1, 1, (size, 1)).astype(np.float32)
    no = torch.zeros(size, dtype=torch.bool)
    kept = Replay(domain_of(kind), PLAIN, mapped, SMALL.discount, 1)
    kept.add(
        Transitions(
            torch.arange(size),
            seen,
            torch.from_numpy(action),
            torch.from_numpy(np.float32(pays(action))),
            seen,
            no | over,
            no,
        )
    )
    return kept


def updated(learner: Learner, kept: Replay, updates: int, *guided: Any) -> Any:
    for _ in range(updates):
        learner.update(kept, Guidance(*guided))
    return learner


def rated(learner: Any, kept: Replay, updates: int = 600) -> Any:
    for _ in range(updates):
        learner.evaluate(kept, Guidance())
    return learner


def near_a_half(action: Any) -> Any:
    return -3 * np.square(action[:, 0] - 0.5)


def the_second(action: Any) -> Any:
    return action @ np.float32([0, 1, -1])


@pytest.mark.parametrize("kind", ["td3", "sac"])
def test_an_actor_finds_the_best_action(kind: str) -> None:
    kept = bandit(kind, near_a_half)
    learner = updated(rated(learner_of(kind, THOROUGH), kept), kept, 400)
    np.testing.assert_allclose(learner.actions(SHOWN), 0.5, atol=0.15)


def test_choices_are_the_best_ones() -> None:
    learner = updated(learner_of("dqn"), bandit("dqn", the_second), 300)
    np.testing.assert_array_equal(learner.actions(SHOWN).argmax(axis=1), 1)
    one, other = np.eye(3, dtype=np.float32)[:2]
    assert learner.prefers(SHOWN[0], other, one)
    assert not learner.prefers(SHOWN[0], one, other)


def test_a_critic_prefers_what_pays_more() -> None:
    learner = updated(learner_of("td3"), bandit("td3", near_a_half), 300)
    good, bad = np.float32([0.5]), np.float32([-0.8])
    assert learner.prefers(SHOWN[4], good, bad)
    assert not learner.prefers(SHOWN[4], bad, good)


def always(kind: str) -> Policy:
    """Returns who does not what pays most: -0.6 of full, or the first choice."""
    if kind == "dqn":
        return Chooser(lambda seen: np.zeros(seen.shape[:-1], np.int64))
    return Chooser(lambda seen: np.full(seen.shape, -1.2, np.float32))


@pytest.mark.parametrize("kind", KINDS)
def test_imitating_ends_in_the_mapped_policys_actions(kind: str) -> None:
    pays = the_second if kind == "dqn" else near_a_half
    kept, learner = bandit(kind, pays, always(kind)), learner_of(kind)
    for _ in range(300):
        learner.imitate(kept.batch(32, learner._rng))
    expected = np.float32([1, 0, 0] if kind == "dqn" else [-0.6])
    np.testing.assert_allclose(learner.actions(SHOWN) - expected, 0, atol=0.1)


@pytest.mark.parametrize("kind", KINDS)
def test_the_pull_holds_against_what_pays_more(kind: str) -> None:
    pays = the_second if kind == "dqn" else near_a_half
    kept = bandit(kind, pays, always(kind))
    expected = np.float32([1, 0, 0] if kind == "dqn" else [-0.6])
    held = updated(learner_of(kind), kept, 400, 50.0).actions(SHOWN) - expected
    np.testing.assert_allclose(held, 0, atol=0.2)
    free = updated(learner_of(kind), kept, 400, 0.0).actions(SHOWN) - expected
    assert np.abs(free).max(axis=1).min() > 0.5


def torn() -> EnsemblePolicy:
    """Returns sixteen who all do -0.6 of full on the left, and differ on the right."""
    codec, ways = domain_of("td3").actions, np.linspace(-2, 2, 16)
    members = []
    for way in (-1.2, *ways[ways != -1.2][:15]):

        def choose(seen: Any, way: float = way) -> Any:
            return np.where(seen < 0, -1.2, way).astype(np.float32)

        same = Translation.identity(1)
        members.append(MappedPolicy(Chooser(choose), same, codec, codec))
    config = EnsembleConfig(width=0.01)
    return EnsemblePolicy(members, [1.0] * 16, None, config)


@pytest.mark.parametrize("kind", ["td3", "sac"])
def test_the_pull_holds_where_the_mapped_policy_is_sure(kind: str) -> None:
    kept = bandit(kind, near_a_half, torn())
    actions = updated(learner_of(kind), kept, 400, 20.0).actions(SHOWN)[:, 0]
    np.testing.assert_allclose(actions[:3], -0.6, atol=0.15)
    # What pays most is 0.5, and the pull is a sixteenth of that on the left.
    assert (actions[-3:] > -0.3).all()
    sure = bandit(kind, near_a_half, always(kind))
    held = updated(learner_of(kind), sure, 400, 20.0).actions(SHOWN)[:, 0]
    np.testing.assert_allclose(held[-3:], -0.6, atol=0.15)


def test_the_filtered_pull_leaves_alone_what_pays_less() -> None:
    kept = bandit("td3", near_a_half, always("td3"))
    learner = updated(rated(learner_of("td3", THOROUGH), kept), kept, 400, 0.0, 50.0)
    np.testing.assert_allclose(learner.actions(SHOWN), 0.5, atol=0.15)


def test_the_filtered_pull_pulls_where_the_mapped_action_is_rated_higher() -> None:
    # The mapped policy is right where the point is shown on the right, else far off.
    mapped = Chooser(lambda seen: np.where(seen > 0, 1.0, -1.6).astype(np.float32))
    kept = bandit("td3", near_a_half, mapped)
    learner = rated(learner_of("td3", THOROUGH), kept)
    batch = kept.batch(200, np.random.default_rng(0))
    out, _ = learner._actor.forward(batch.observation)
    values = np.ones((2, 200, 1), np.float32)
    pull = learner._pull(batch, out, values, Guidance(filtered=1.0))
    pulls, right = pull[:, 0] != 0, batch.observation[:, 0] > 0
    assert (pulls == right).mean() > 0.95
    assert (np.sign(-pull[pulls & right, 0]) > 0).all()


def batch_of(mapped: Any) -> Batch:
    empty = np.zeros(len(mapped), np.float32)
    seen = SHOWN[: len(mapped)]
    plain = seen, mapped, empty, empty, seen, mapped, mapped, empty, empty
    return Batch(*plain, SURE[: len(mapped)])


def slopes(loss: Callable[[Any], float], at: Any) -> Any:
    """Returns the gradient of a loss by central differences."""
    result = np.zeros(at.shape)
    for place in np.ndindex(*at.shape):
        step = np.zeros(at.shape)
        step[place] = 1e-5
        result[place] = (loss(at + step) - loss(at - step)) / 2e-5
    return result


@pytest.mark.parametrize("kind", ["td3", "sac"])
def test_the_gradient_of_the_pull_is_that_of_its_squared_error(kind: str) -> None:
    rng = np.random.default_rng(3)
    learner = ActorCritic(kind, (1, 2), PLAIN, SMALL, rng)  # type: ignore[arg-type]
    out = rng.normal(size=(1, 6, 4 if kind == "sac" else 2)).astype(np.float32)
    mapped = rng.uniform(-1.2, 1.2, (6, 2)).astype(np.float32)
    rated = rng.normal(size=(2, 6, 1)).astype(np.float32)
    pull = learner._pull(batch_of(mapped), out, rated, Guidance(hold=0.7))

    def loss(mean: Any) -> float:
        error = np.square(np.tanh(mean) - np.clip(mapped, -1, 1)).mean(axis=1)
        return 0.7 * float(np.abs(rated).mean() * (SURE * error).mean())

    expected = slopes(loss, np.float64(out[0, :, :2]))
    np.testing.assert_allclose(pull, expected, rtol=1e-3, atol=1e-5)


def test_the_gradient_of_the_margin_is_that_of_dqfds_loss() -> None:
    rng = np.random.default_rng(3)
    learner = learner_of("dqn")
    rated = rng.normal(size=(6, 3)).astype(np.float32)
    mapped = np.eye(3, dtype=np.float32)[rng.integers(3, size=6)]
    margin = SMALL.margin * (1 - mapped)

    def loss(values: Any) -> float:
        gap = (values + margin).max(axis=1) - (values * mapped).sum(axis=1)
        return 0.7 * float((SURE * gap).mean())

    got = learner._margin_slope(rated, batch_of(mapped), 0.7 * SURE)
    np.testing.assert_allclose(got, slopes(loss, np.float64(rated)), atol=1e-5)


def ends(action: Any) -> Any:
    """Pays 1 for the largest third of actions, 0 for others."""
    return np.float32(action[:, -1] > 0.3)


@pytest.mark.parametrize("kind", ["td3", "dqn"])
def test_no_value_is_above_the_best_reward_for_ever(kind: str) -> None:
    config = replace(SMALL, follow=0.0)
    learner, kept = learner_of(kind, config), bandit(kind, ends, over=False)
    slow = learner._slow if kind == "dqn" else learner._slow_critic
    # It rates everything a thousand times too high, and never changes.
    slow.layers[-1][1][:] = 1000
    for _ in range(600):
        learner.evaluate(kept, Guidance())
    if kind == "dqn":
        values = learner._network(SHOWN)[0]
    else:
        values = learner._critic(np.repeat(SHOWN, 2, axis=1))[:, :, 0]
    # 1 for ever, half of it lost at each step, comes to 2.
    np.testing.assert_allclose(values, 2, atol=0.2)


def test_the_larger_of_two_values_bootstraps() -> None:
    config = replace(SMALL, follow=0.0)
    mapped = Chooser(lambda seen: np.full(seen.shape, 2, np.float32))
    kept = bandit("td3", ends, mapped, over=False)
    kept.highest = 100.0
    values = {}
    for bootstraps in (False, True):
        learner = learner_of("td3", config)
        actor, critic = learner._slow_actor, learner._slow_critic
        actor.numbers[:] = critic.numbers[:] = 0
        # Four times the action, where it is above 0; the actor would do nothing.
        critic.layers[0][0][:, 1, 0] = 1
        critic.layers[1][0][:, 0, 0] = 4
        for _ in range(600):
            learner.evaluate(kept, Guidance(bootstraps=bootstraps))
        idle = np.concatenate([SHOWN, np.zeros_like(SHOWN)], axis=1)
        values[bootstraps] = learner._critic(idle)[:, :, 0]
    # Half of what follows counts: 4 for the mapped action, about 0.3 for smoothed 0.
    np.testing.assert_allclose(values[True], 2, atol=0.3)
    np.testing.assert_allclose(values[False], 0.16, atol=0.3)


def test_fitting_the_critic_moves_no_actor() -> None:
    for kind in ("td3", "sac"):
        learner, kept = learner_of(kind), bandit(kind, near_a_half)
        before, known = learner._actor.numbers.copy(), learner._critic.numbers.copy()
        rated(learner, kept, 20)
        np.testing.assert_array_equal(learner._actor.numbers, before)
        assert not np.array_equal(learner._critic.numbers, known)


@pytest.mark.parametrize("kind", KINDS)
def test_copies_act_alike_and_learn_apart(kind: str) -> None:
    pays = the_second if kind == "dqn" else near_a_half
    kept = bandit(kind, pays, always(kind))
    learner = updated(learner_of(kind), kept, 50)
    copy, policy = (
        learner.copy(),
        LearnedPolicy(learner.copy(), PLAIN, kept._domain.actions),
    )
    rows = np.concatenate([SHOWN, SHOWN], axis=1)
    before, answers = learner.actions(SHOWN), policy.predict(SHOWN)[0]
    np.testing.assert_array_equal(copy.actions(SHOWN), before)
    if kind != "dqn":
        np.testing.assert_array_equal(copy._critic(rows), learner._critic(rows))
        assert copy._temperature.value == learner._temperature.value
    for _ in range(200):
        learner.imitate(kept.batch(32, learner._rng))
    updated(learner, kept, 20)
    np.testing.assert_array_equal(copy.actions(SHOWN), before)
    np.testing.assert_array_equal(policy.predict(SHOWN)[0], answers)
    moved = learner.actions(SHOWN)
    updated(copy, kept, 100)
    np.testing.assert_array_equal(learner.actions(SHOWN), moved)
    assert not np.array_equal(moved, before)


@pytest.mark.parametrize("kind", KINDS)
def test_exploring_goes_by_the_generator_it_is_handed(kind: str) -> None:
    learner = learner_of(kind, replace(SMALL, random_choices=0.5))

    def tried(seed: int) -> Any:
        rng = np.random.default_rng(seed)
        learner.begin_episode(np.random.default_rng(0))
        return np.stack([learner.explore(SHOWN[0], rng) for _ in range(60)])

    once, again, other = tried(1), tried(1), tried(2)
    np.testing.assert_array_equal(once, again)
    assert not np.array_equal(once, other)
    assert np.abs(once).max() <= 1
    assert len(np.unique(once, axis=0)) == (3 if kind == "dqn" else 60)


@pytest.mark.parametrize("kind", KINDS)
def test_a_learner_that_diverged_says_so(kind: str) -> None:
    learner = learner_of(kind)
    kept = bandit(kind, the_second if kind == "dqn" else near_a_half)
    assert updated(learner, kept, 2).finite
    wild = learner_of(kind, replace(SMALL, rate=1e38))
    with np.errstate(all="ignore"):
        assert not updated(wild, kept, 10).finite
