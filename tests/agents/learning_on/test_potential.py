"""The source's value shapes rewards, and changes no choice."""

from typing import Any

import numpy as np
import pytest
import torch

from rltransfer.alignment import Source, SourceModelData
from rltransfer.domain import Domain, Transitions, Whitening
from rltransfer.mapping import Affine
from rltransfer.translation import MappedPolicy, Translation
from rltransfer_agents.learning_on.actor_critic import ActorCritic
from rltransfer_agents.learning_on.learner import Guidance
from rltransfer_agents.learning_on.learner_config import LearnerConfig
from rltransfer_agents.learning_on.potential import Potential, SourceValue, source_value
from rltransfer_agents.learning_on.q_learner import QLearner
from rltransfer_agents.learning_on.replay import Replay, Units
from tests.worlds.line import Line
from tests.worlds.points import Chooser

SMALL = LearnerConfig(widths=(32,), batch=64, rate=3e-3, discount=0.5, follow=0.1)
PLAIN = Units(np.zeros(1, np.float32), np.ones(1, np.float32), 1.0)
SHAPED = Guidance(shapes=True)
RIGHT = Chooser(lambda seen: np.ones(seen.shape[:-1], np.int64))


class Doubled:
    """A model in whose coordinates states are twice as large, and rewards standard."""

    whitening = Whitening(torch.zeros(1), 2 * torch.eye(1), torch.eye(1) / 2)
    scale: Any = None
    gain: Any = None
    numbers: Any = None

    def predict(self, state: Any, action: Any) -> Any:
        raise NotImplementedError

    def standardised(self, rows: Transitions) -> Transitions:
        white = self.whitening.whiten
        return Transitions(
            rows.episode,
            white(rows.observation),
            rows.action,
            (rows.reward - 7) / 3,
            white(rows.next_observation),
            rows.terminated,
            rows.truncated,
        )


def source(size: int = 600) -> SourceModelData:
    """Returns a source that pays 1 a step, for ever at 1 and once at -1.

    So it pays who goes right; going left costs 50.
    """
    rng = np.random.default_rng(0)
    at = torch.from_numpy(rng.choice([-1.0, 1.0], (size, 1)).astype(np.float32))
    right = torch.from_numpy(rng.random(size) < 0.5)
    rows = Transitions(
        episode=torch.arange(size),
        observation=at,
        action=torch.stack([~right, right], dim=1).float(),
        reward=torch.where(right, 1.0, -50.0),
        next_observation=at,
        terminated=at[:, 0] < 0,
        truncated=torch.zeros(size, dtype=torch.bool),
    )
    model = Doubled()
    domain = Domain(lambda: Line(continuous=False), "line")
    white = model.standardised(rows)
    return SourceModelData(
        Source(domain, RIGHT, "right"), model, white, white, np.ones(1)
    )


@pytest.fixture(scope="module")
def value() -> SourceValue:
    return source_value(source(), 0.5, 1_500, np.random.default_rng(0))


def test_a_value_is_that_of_the_policys_own_actions(value: SourceValue) -> None:
    # 1 + 1/2 + 1/4 and so on where it goes on; 1 where it is over. States are doubled.
    found = value(np.float32([[2.0], [-2.0]]))
    np.testing.assert_allclose(found, [2.0, 1.0], atol=0.1)


def test_no_value_is_beyond_what_could_be_paid(value: SourceValue) -> None:
    far = value(np.float32([[1e6], [-1e6]]))
    # 50 a step for ever at worst, 1 at best; to rounding.
    assert far.min() > -100.01 and far.max() < 2.01


def test_a_potential_is_the_value_of_the_mapped_state(value: SourceValue) -> None:
    turned = Affine.of(-2 * torch.eye(1), torch.zeros(1))
    unwhiten = Affine.of(torch.eye(1) / 2, torch.zeros(1))
    codec = Domain(lambda: Line(continuous=False), "line").actions
    mapped = MappedPolicy(
        RIGHT, Translation(turned, unwhiten, None, None), codec, codec
    )
    potential = Potential(mapped, value)
    np.testing.assert_allclose(
        potential(np.float32([[-1.0], [1.0]])), [2.0, 1.0], atol=0.1
    )


def triple(stack: Any) -> Any:
    return 3 * stack[:, 0]


def steps(discrete: bool, over: bool, size: int = 400) -> Transitions:
    """Returns steps from anywhere to 1, where the action is the reward."""
    rng = np.random.default_rng(5)
    paid = rng.uniform(-1, 1, size).astype(np.float32)
    action = torch.from_numpy(paid)[:, None]
    if discrete:
        right = torch.from_numpy(paid > 0)
        action = torch.stack([~right, right], dim=1).float()
        paid = np.sign(paid)
    no = torch.zeros(size, dtype=torch.bool)
    seen = torch.from_numpy(rng.uniform(-1, 1, (size, 1)).astype(np.float32))
    return Transitions(
        torch.arange(size),
        *(seen, action, torch.from_numpy(paid), torch.ones(size, 1)),
        *(no | over, no),
    )


def replay_of(rows: Transitions, n_steps: int = 1, reward: float = 1.0) -> Replay:
    discrete = rows.action.shape[1] == 2
    domain = Domain(lambda: Line(continuous=not discrete), "line")
    units = Units(PLAIN.shift, PLAIN.spread, reward)
    kept = Replay(domain, units, None, 0.5, n_steps, triple)
    kept.add(rows)
    return kept


def test_rows_know_their_potentials_in_units_of_the_learner() -> None:
    rows = steps(discrete=True, over=False, size=4)
    rows = Transitions(
        torch.tensor([0, 0, 0, 1]),
        *(rows.observation, rows.action, rows.reward),
        *(torch.arange(4.0)[:, None], rows.terminated, rows.truncated),
    )
    batch = replay_of(rows, n_steps=2, reward=0.5).at(np.arange(4))
    np.testing.assert_allclose(
        batch.potential, 6 * rows.observation[:, 0].numpy(), rtol=1e-6
    )
    # After two steps, or fewer where the episode is over.
    np.testing.assert_allclose(batch.next_potential, [6, 12, 12, 18])


def test_without_a_potential_there_is_none() -> None:
    kept = Replay(Domain(Line, "line"), PLAIN, None, 0.5, 1)
    kept.add(steps(discrete=False, over=False))
    batch = kept.at(np.arange(9))
    assert not batch.potential.any() and not batch.next_potential.any()


SHOWN = np.linspace(-1, 1, 9, dtype=np.float32)[:, None]


@pytest.mark.parametrize("over", [True, False])
def test_values_of_choices_lack_the_potential_and_choose_alike(over: bool) -> None:
    kept = replay_of(steps(discrete=True, over=over))
    learned = {}
    for guidance in (Guidance(), SHAPED):
        learner = QLearner((1, 2), PLAIN, SMALL, np.random.default_rng(0))
        for _ in range(1_500):
            learner.update(kept, guidance)
        learned[guidance.shapes] = learner._network(SHOWN)[0]
        assert (learner.actions(SHOWN).argmax(axis=1) == 1).all()
    # Where it is over, what follows is worth nothing whatever its potential.
    best = 1.0 if over else 2.0
    np.testing.assert_allclose(learned[False][:, 1], best, atol=0.15)
    np.testing.assert_allclose(learned[True], learned[False] - 3 * SHOWN, atol=0.3)


def test_critics_lack_the_potential_too() -> None:
    kept = replay_of(steps(discrete=False, over=True))
    learner = ActorCritic("td3", (1, 1), PLAIN, SMALL, np.random.default_rng(0))
    for _ in range(1_500):
        learner.evaluate(kept, SHAPED)
    rows = np.column_stack([SHOWN, np.full(9, 0.5, np.float32)])
    for values in learner._critic(rows):
        np.testing.assert_allclose(values, 0.5 - 3 * SHOWN, atol=0.2)
