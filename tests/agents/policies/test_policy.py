from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats
from stock_agents import STOCK
from torch import nn

from rltransfer.errors import InputError
from rltransfer_agents.loading import load_agent
from rltransfer_agents.policies import FrozenPolicy
from rltransfer_agents.policies.activations import ACTIVATIONS
from rltransfer_agents.policies.observation_encoders import Normalisation

_DRAWS = 20_000


def pair(name: str, folder: Path) -> tuple[Any, FrozenPolicy]:
    model = STOCK[name].save(folder / "agent.zip")
    return model, load_agent(folder / "agent.zip", env_id="CartPole-v1").policy


def repeated(model: Any) -> Any:
    row = np.linspace(-1, 1, model.observation_space.shape[0]).astype(np.float32)
    return np.repeat(row[None], _DRAWS, axis=0)


@pytest.mark.parametrize("name", sorted(ACTIVATIONS))
def test_activations_are_those_of_torch(name: str) -> None:
    units = np.linspace(-8, 8, 401, dtype=np.float32)
    expected = getattr(nn, name)()(torch.from_numpy(units)).numpy()
    given = ACTIVATIONS[name](units.copy())
    np.testing.assert_allclose(given, expected, rtol=1e-5, atol=1e-6)


def test_normalisation_worked_by_hand() -> None:
    mean, variance = np.array([1.0, -2.0]), np.array([4.0, 0.25])
    normalise = Normalisation.of(mean, variance, epsilon=1e-12, clip=3.0)
    given = normalise(np.array([[5.0, -2.5], [100.0, -100.0]]))
    np.testing.assert_allclose(given, [[2.0, -1.0], [3.0, -3.0]])


def test_large_means_swallow_no_small_deviations() -> None:
    normalise = Normalisation.of(np.array([1e6]), np.array([1e-4]), clip=10.0)
    given = normalise(np.array([1e6 + 0.02]))
    np.testing.assert_allclose(given, [2.0], rtol=1e-4)


def test_discrete_actions_are_drawn_as_stable_baselines_draws(
    tmp_path: Path,
) -> None:
    model, policy = pair("ppo", tmp_path)
    rows = repeated(model)
    tensor = model.policy.obs_to_tensor(rows[0])[0]
    expected = model.policy.get_distribution(tensor).distribution.probs
    actions, _ = policy.predict(rows)
    counts = np.bincount(actions, minlength=4)
    shares = expected[0].detach().numpy().astype(np.float64)
    assert stats.chisquare(counts, _DRAWS * shares / shares.sum()).pvalue > 1e-4


@pytest.mark.parametrize("name", ["ppo-box", "sac", "a2c-noise", "sac-noise"])
def test_continuous_actions_are_drawn_as_stable_baselines_draws(
    name: str, tmp_path: Path
) -> None:
    model, policy = pair(name, tmp_path)
    row = repeated(model)[:1]
    torch.manual_seed(0)
    drawn, expected = [], []
    for seed in range(2000):
        if name.endswith("noise"):
            model.policy.reset_noise()  # one matrix for all rows until it is drawn anew
        drawn.append(policy.seeded(seed).predict(row)[0][0])
        expected.append(model.predict(row)[0][0])
    for column in range(3):
        ours, theirs = (np.array(rows)[:, column] for rows in (drawn, expected))
        assert stats.ks_2samp(ours, theirs).pvalue > 1e-4


def test_dqn_explores_as_often_as_when_it_was_saved(tmp_path: Path) -> None:
    model = STOCK["dqn"].make()
    model.exploration_rate = 0.4
    model.save(tmp_path / "agent.zip")
    policy = load_agent(tmp_path / "agent.zip", env_id="CartPole-v1").policy
    rows = repeated(model)
    greedy, _ = policy.predict(rows[0], deterministic=True)
    actions, _ = policy.predict(rows)
    assert (actions == greedy).mean() == pytest.approx(0.6 + 0.4 / 4, abs=0.02)


def test_two_seeds_draw_differently(tmp_path: Path) -> None:
    model, policy = pair("sac", tmp_path)
    rows = repeated(model)[:50]
    once, again, other = (policy.seeded(s).predict(rows)[0] for s in (1, 1, 2))
    np.testing.assert_array_equal(once, again)
    assert (once != other).any()


def test_state_is_handed_back(tmp_path: Path) -> None:
    _, policy = pair("ppo", tmp_path)
    state = (np.zeros(1),)
    assert policy.predict(np.zeros(5), state)[1] is state


def test_weights_cannot_be_reached_through_outputs(tmp_path: Path) -> None:
    _, policy = pair("ppo-linear", tmp_path)
    observation = np.zeros(5, np.float32)
    policy.outputs(observation)[:] = 7
    assert (policy.outputs(observation) != 7).any()
    np.testing.assert_array_equal(observation, 0)


@pytest.mark.parametrize("shape", [(4,), (3, 4), (2, 3, 5), ()])
def test_an_observation_of_another_shape_is_told(
    shape: tuple[int, ...], tmp_path: Path
) -> None:
    _, policy = pair("ppo", tmp_path)
    with pytest.raises(InputError, match=r"must have shape \(5,\)"):
        policy.predict(np.zeros(shape))


def test_what_reset_returns_is_told(tmp_path: Path) -> None:
    _, policy = pair("ppo", tmp_path)
    with pytest.raises(InputError, match="pass the first part"):
        policy.predict((np.zeros(5), {}))
