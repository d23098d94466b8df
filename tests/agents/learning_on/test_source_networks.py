"""Students begin with a source's layers, and stay plain models of the target."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from gymnasium import spaces
from stable_baselines3 import DQN, SAC, TD3

from rltransfer.domain import Domain, StickyRandomPolicy, codec_of
from rltransfer.errors import InputError
from rltransfer.mapping import Affine
from rltransfer.translation import MappedPolicy, Translation
from rltransfer_agents.learning_on.actor_critic import ActorCritic
from rltransfer_agents.learning_on.learner import Guidance, LearnedPolicy
from rltransfer_agents.learning_on.learner_config import LearnerConfig
from rltransfer_agents.learning_on.q_learner import QLearner
from rltransfer_agents.learning_on.replay import Replay, Units
from rltransfer_agents.learning_on.source_networks import (
    Beginning,
    require_networks,
)
from rltransfer_agents.loading import LoadedPolicy
from rltransfer_agents.policies import FrozenPolicy
from rltransfer_agents.policies.activations import Dense, relu, tanh
from rltransfer_agents.policies.heads import (
    ActionBounds,
    Categorical,
    Deterministic,
    GreedyValues,
)
from rltransfer_agents.policies.observation_encoders import Normalisation, Vector
from tests.worlds.points import Point

UNITS = Units(np.float32([0.4, -2]), np.float32([3, 0.2]), 2.5)
SMALL = LearnerConfig(widths=(5,), batch=32)
STATE = np.float32([[0.5, -1.0, 2.0], [1.5, 0.3, 0.1]])
"""From what the target shows, two numbers, to the source's three."""
SHIFT = np.float32([0.1, -0.2, 0.3])
ROWS = np.random.default_rng(1).normal(0, 1, (300, 2)).astype(np.float32)


def dense(rng: np.random.Generator, *sizes: int, activation: Any = None) -> Dense:
    weight, bias = (
        rng.normal(size=size).astype(np.float32) for size in (sizes, sizes[1:])
    )
    return Dense(weight, bias, *([] if activation is None else [activation]))


def source(
    discrete: bool, activation: Any = relu, inputs: int = 3, normal: bool = False
) -> FrozenPolicy:
    rng = np.random.default_rng(7)
    actions: Any = spaces.Discrete(4) if discrete else spaces.Box(-1, 1, (2,))
    bounds = None if discrete else ActionBounds.of(actions, squashed=True)
    statistics = Normalisation.of(np.arange(3.0), np.array([4.0, 1.0, 0.25]), clip=1e9)
    outputs = 4 if discrete else 2
    return FrozenPolicy(
        spaces.Box(-np.inf, np.inf, (inputs,)),
        actions,
        Vector((inputs,), statistics if normal else None),
        (
            dense(rng, inputs, 6, activation=activation),
            dense(rng, 6, 7, activation=activation),
        ),
        dense(rng, 7, outputs),
        GreedyValues() if bounds is None else Deterministic(bounds),
    )


def kept(policy: FrozenPolicy, through: Any = (STATE, SHIFT)) -> Replay:
    """Returns random steps beside which are those of the mapped policy."""
    discrete = isinstance(policy.action_space, spaces.Discrete)
    domain = Domain(lambda: Point(continuous=not discrete), "point")
    state = Affine.of(*map(torch.from_numpy, through))
    unchanged = Affine.of(torch.eye(state.outputs), torch.zeros(state.outputs))
    own = codec_of(policy.action_space, "source")
    translation = Translation(state, unchanged, None, None)
    mapped = MappedPolicy(policy, translation, own, domain.actions)
    made = Replay(domain, UNITS, mapped, 0.99, 1)
    rng = np.random.default_rng(3)
    random = StickyRandomPolicy(domain.actions, rng)
    made.add(domain.collect(random, purpose="trial", seed=0, steps=300).transitions)
    return made


def begun(takes: Any, policy: FrozenPolicy, replay: Replay) -> Beginning:
    return Beginning(takes, replay, UNITS, SMALL, np.random.default_rng(0))


@pytest.mark.parametrize("activation", [relu, tanh])
@pytest.mark.parametrize("normal", [False, True])
def test_layers_behind_the_state_map_are_the_sources(
    activation: Any, normal: bool
) -> None:
    policy = source(True, activation, normal=normal)
    replay = kept(policy)
    layers = begun("features", policy, replay)._layers
    for one in (layers, layers.evened(replay.observations)):
        network = one.network(one.output, np.random.default_rng(0))
        found = network(UNITS.standard(ROWS))[0]
        expected = policy.outputs(ROWS @ STATE + SHIFT)
        np.testing.assert_allclose(found, expected, rtol=2e-3, atol=2e-3)


def test_rectified_units_are_made_about_equally_large() -> None:
    policy = source(True)
    replay = kept(policy)
    layers = begun("features", policy, replay)._layers
    weight, bias = layers.hidden[0]
    units = np.maximum(replay.observations @ weight + bias, 0)
    size = np.sqrt(np.square(units).mean(axis=0))
    np.testing.assert_allclose(size[size > 0], 1, rtol=1e-3)


def test_features_are_beside_fresh_units_and_not_changed_by_them() -> None:
    policy = source(True)
    beginning = begun("features", policy, kept(policy))
    network = beginning.values(4)
    assert network.sizes == (2, 6 + 5, 7 + 5, 4)
    seen = UNITS.standard(ROWS)
    _, (_, first, second) = network.forward(seen)
    shown = seen
    for units, (weight, bias) in zip(
        (first, second), beginning._layers.hidden, strict=True
    ):
        shown = np.maximum(shown @ weight + bias, 0)
        np.testing.assert_allclose(
            units[0, :, : len(bias)], shown, rtol=2e-3, atol=2e-3
        )
    # Fresh units read the source's, not the other way round.
    weights = network.layers[1][0][0]
    assert not weights[6:, :7].any() and weights[:6, 7:].all()


def test_critics_take_actions_behind_the_features() -> None:
    policy = source(False, tanh)
    beginning = begun("features", policy, kept(policy))
    actor, critic = beginning.actor_and_critics(2, "sac")
    assert actor.sizes == (2, 11, 12, 4) and critic.sizes == (2 + 2, 11, 12, 1)
    first = critic.layers[0][0]
    assert not first[:, 2:, :6].any() and first[:, 2:, 6:].all()
    assert actor.activation == critic.activation == "tanh"
    # The critics share the features and nothing that is fresh.
    np.testing.assert_array_equal(first[0, :, :6], first[1, :, :6])
    assert (first[0, :, 6:] != first[1, :, 6:]).all()


KINDS: dict[str, Any] = {"td3": TD3, "sac": SAC, "dqn": DQN}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("activation", [relu, tanh])
def test_a_student_with_features_is_a_plain_model(
    kind: Any, activation: Any, tmp_path: Path
) -> None:
    policy, rng = source(kind == "dqn", activation), np.random.default_rng(0)
    replay = kept(policy)
    beginning, size = begun("features", policy, replay), 4 if kind == "dqn" else 2
    known = (2, size), UNITS, SMALL, rng
    learner: Any = (
        QLearner(*known, beginning.values(4))
        if kind == "dqn"
        else ActorCritic(kind, *known, beginning.actor_and_critics(2, kind))
    )
    for _ in range(20):
        learner.update(replay, Guidance())
    env = Point(continuous=kind != "dqn")
    learner.copy().model(env).save(tmp_path / "model.zip")
    model = KINDS[kind].load(tmp_path / "model.zip", device="cpu")
    domain = Domain(lambda: env, "point")
    expected, _ = LearnedPolicy(learner, UNITS, domain.actions).predict(ROWS)
    chosen, _ = model.predict(ROWS, deterministic=True)
    np.testing.assert_allclose(chosen, expected, rtol=1e-4, atol=1e-4)
    model.set_env(env)
    model.learn(20)
    assert model.num_timesteps == 20


def test_fine_tuning_begins_as_the_source() -> None:
    through = np.eye(2, dtype=np.float32), np.zeros(2, np.float32)
    policy = source(True, inputs=2)
    values = begun("networks", policy, kept(policy, through)).values(4)
    expected = policy.outputs(ROWS) / 2.5
    np.testing.assert_allclose(
        values(UNITS.standard(ROWS))[0], expected, rtol=1e-3, atol=1e-3
    )
    policy = source(False, inputs=2)
    replay = kept(policy, through)
    for kind in ("td3", "sac"):
        actor, _ = begun("networks", policy, replay).actor_and_critics(2, kind)
        found = np.tanh(actor(UNITS.standard(ROWS))[0, :, :2])
        done, _ = policy.predict(ROWS, deterministic=True)
        np.testing.assert_allclose(found, done, rtol=1e-3, atol=1e-3)


def loaded(policy: Any) -> LoadedPolicy:
    return LoadedPolicy(
        policy,
        "ppo Point",
        policy.observation_space,
        policy.action_space,
        None,
        {},
        Path("point.zip"),
        "",
    )


def target(discrete: bool) -> Domain:
    return Domain(lambda: Point(continuous=not discrete), "point")


def test_what_can_be_taken_is_taken() -> None:
    for takes in ("features", "networks"):
        policy = source(True, inputs=3 if takes == "features" else 2)
        require_networks(takes, "it", loaded(policy), target(True), "dqn")  # type: ignore[arg-type]
    require_networks("features", "it", loaded(source(False)), target(True), "dqn")


@pytest.mark.parametrize(
    ("takes", "policy", "discrete", "says"),
    [
        ("features", source(True, np.sign), True, "all ReLU or all tanh, ppo Point"),
        ("features", replace(source(True), layers=()), True, "all ReLU or all tanh"),
        ("networks", source(True), True, r"differ in shape; it copies its networks"),
        ("networks", source(False, inputs=2), True, "differ in kind; it copies"),
        (
            "networks",
            replace(source(True, inputs=2), head=Categorical()),
            True,
            "dqn's",
        ),
    ],
)
def test_what_cannot_be_taken_is_refused(
    takes: Any, policy: FrozenPolicy, discrete: bool, says: str
) -> None:
    student = "dqn" if discrete else "td3"
    with pytest.raises(InputError, match=says):
        require_networks(takes, "it", loaded(policy), target(discrete), student)
