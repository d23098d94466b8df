"""A sliding point whose velocity is hidden: when that is seen, and how it is told."""

from dataclasses import replace
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from rltransfer.alignment import Source, SourceModelData, align, learn_source_model
from rltransfer.alignment.problem import AlignmentProblem
from rltransfer.alignment.response_config import HistoryConfig
from rltransfer.alignment.responses import Array, Episode
from rltransfer.alignment.sensor_views import explained_view, hides_state
from rltransfer.alignment.simulation import Simulated
from rltransfer.domain import Domain, History, StickyRandomPolicy
from rltransfer.wrappers import StepBudget
from tests.worlds.points import Chooser

from .conftest import QUICK

CONFIG = HistoryConfig()
HURRIED = replace(
    QUICK,
    seed=3,  # of so few updates not every seed comes near home
    history=replace(CONFIG, updates=400, copied_steps=5000),
)


class Sliding(gym.Env[NDArray[np.float32], Any]):
    """Pushed left or right; a step costs the distance from the origin.

    Args:
        shown: numbers of (position, velocity) that are shown, times two where one is.
        noise: deviation of what is added to each.
    """

    def __init__(self, shown: int = 2, noise: float = 0.0) -> None:
        self.observation_space = gym.spaces.Box(-np.inf, np.inf, (shown,), np.float32)
        self.action_space = gym.spaces.Discrete(2)
        self._state, self._steps, self._scale = np.zeros(2), 0, 3.0 - shown
        self._noise = noise

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        super().reset(seed=seed)
        self._state, self._steps = self.np_random.uniform(-1.0, 1.0, size=2), 0
        return self._shown(), {}

    def step(
        self, action: Any
    ) -> tuple[NDArray[np.float32], float, bool, bool, dict[str, Any]]:
        position, velocity = self._state
        velocity = 0.95 * velocity + 0.2 * (2 * int(action) - 1)
        self._state = np.array([position + 0.2 * velocity, velocity])
        self._steps += 1
        return self._shown(), -abs(position), False, self._steps == 25, {}

    def _shown(self) -> NDArray[np.float32]:
        size = self.observation_space.shape
        assert size is not None
        seen = self._scale * self._state[: size[0]]
        if self._noise:
            seen = seen + self._noise * self.np_random.normal(size=size)
        return seen.astype(np.float32)


BRAKING = Chooser(lambda seen: (seen.sum(axis=-1) < 0).astype(int))
"""Pushes a sliding point to where it comes to rest at the origin."""


@pytest.fixture(scope="module")
def model_data() -> SourceModelData:
    torch.set_num_threads(1)
    source = Source(Domain(Sliding, "sliding"), BRAKING, "braking")
    return learn_source_model(source, QUICK)


def explored(shown: int) -> Any:
    domain = Domain(lambda: Sliding(shown), "target")
    policy = StickyRandomPolicy(domain.actions, np.random.default_rng(0))
    return domain.collect(policy, purpose="exploration", seed=0, steps=300).transitions


@pytest.mark.parametrize(("shown", "hidden"), [(1, True), (2, False)])
def test_a_hidden_velocity_is_noticed(shown: int, hidden: bool) -> None:
    assert hides_state(explored(shown), History(3, shown, 2), CONFIG) is hidden


def test_what_never_moves_hides_nothing() -> None:
    rows = explored(1)
    rows.observation[:], rows.next_observation[:] = 1.0, 1.0
    assert not hides_state(rows, History(3, 1, 2), CONFIG)


def walks(rng: np.random.Generator, shown: Array) -> Simulated:
    """Returns a driven pair of masses seen through `shown`, with copies of each walk.

    They differ only in how they began.
    """
    turn = np.array([[0.9, 0.4, 0.0], [-0.4, 0.9, 0.0], [0.1, 0.0, 0.8]])
    episodes, copies = [], []
    for _ in range(8):
        pushes = rng.normal(size=(20, 3)) * np.array([1.0, 0.3, 0.0])

        def walk(pushes: Array = pushes) -> Array:
            states = [rng.normal(size=3)]
            for push in pushes:
                states.append(turn @ states[-1] + push)
            return np.array(states)

        episodes.append(Episode(walk() @ shown + 5.0, np.zeros((20, 1))))
        copies.append(tuple(walk() for _ in range(16)))
    return Simulated(tuple(episodes), tuple(copies))


def test_how_states_are_shown_is_found_though_some_is_hidden() -> None:
    rng = np.random.default_rng(0)
    shown = np.array([[1.0, 0.0], [0.0, 0.0], [-0.5, 2.0]])
    start = np.vstack([shown + 0.3 * rng.normal(size=shown.shape), [4.0, 6.0]])
    view = explained_view(walks(rng, shown), start, CONFIG)
    np.testing.assert_allclose(view.weight, np.vstack([shown, [5.0, 5.0]]), atol=0.02)
    assert view.unexplained < 1e-4
    assert np.sqrt(np.diag(view.noise)).max() < 0.05


def test_noise_of_sensors_is_told_from_what_lasts() -> None:
    rng = np.random.default_rng(1)
    shown = np.array([[1.0], [0.0], [-0.5]])
    clear = walks(rng, shown)
    noisy = tuple(
        Episode(e.states + 0.2 * rng.normal(size=e.states.shape), e.actions)
        for e in clear.episodes
    )
    start = np.vstack([shown, [5.0]])
    view = explained_view(Simulated(noisy, clear.copies), start, CONFIG)
    assert np.sqrt(view.noise[0, 0]) == pytest.approx(0.2, rel=0.25)


def test_a_hidden_velocity_is_told_from_a_short_history(
    model_data: SourceModelData,
) -> None:
    target = Domain(lambda: Sliding(1), "target", StepBudget(1500))
    found = align([model_data], target, HURRIED)
    assert found.chosen.candidate.family.name == "history"
    home = model_data.source.domain.evaluate(BRAKING, episodes=20, seed=0).mean()
    there = target.evaluate(found.policy, episodes=20, seed=0).mean()
    assert there > home - 2.0
    # It tells both numbers of the source, or those of its mirror image.
    problem = AlignmentProblem.of(model_data, target, explored(1), QUICK)
    rows = problem.history.stacked(explored(1)).observation
    state = found.policy.translation.unwhiten(found.policy.translation.state(rows))
    position, velocity = state.detach().double().numpy().T
    truth = explored(2).observation.double().numpy()
    for told, true in zip((position, velocity), truth.T, strict=True):
        assert abs(np.corrcoef(told, true)[0, 1]) > 0.99


def test_a_noisy_target_is_told_from_a_short_history(
    model_data: SourceModelData,
) -> None:
    target = Domain(lambda: Sliding(noise=0.1), "target", StepBudget(1500))
    found = align([model_data], target, HURRIED)
    assert found.chosen.candidate.family.name == "history"
    home = model_data.source.domain.evaluate(BRAKING, episodes=20, seed=0).mean()
    there = target.evaluate(found.policy, episodes=20, seed=0).mean()
    assert there > home - 3.0


def test_a_target_that_shows_all_is_not_stacked(model_data: SourceModelData) -> None:
    target = Domain(lambda: Sliding(2), "target", StepBudget(1500))
    problem = AlignmentProblem.of(model_data, target, explored(2), QUICK)
    assert problem.history.steps == 1
    assert problem.rows.observation.shape[1] == 2
