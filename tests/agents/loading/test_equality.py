from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from stock_agents import STOCK, Stock

from rltransfer_agents.loading import LoadedPolicy, load_agent
from rltransfer_agents.loading.sb3_checkpoint import ALGORITHMS
from tests.conftest import Count

pytestmark = pytest.mark.torture

_ENVIRONMENT = "CartPole-v1"
Pair = tuple[Stock, Any, LoadedPolicy]


@pytest.fixture(scope="module", params=sorted(STOCK))
def pair(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Pair:
    stock = STOCK[request.param]
    path = tmp_path_factory.mktemp("agent") / "agent.zip"
    model = stock.save(path)
    return stock, model, load_agent(path, env_id=_ENVIRONMENT)


def sampled(space: Any, count: int) -> Any:
    space.seed(0)
    rows = [space.sample() for _ in range(count)]
    if isinstance(rows[0], dict):
        return {name: np.stack([row[name] for row in rows]) for name in rows[0]}
    return np.stack(rows)


def one(observations: Any, row: int) -> Any:
    if isinstance(observations, dict):
        return {name: part[row] for name, part in observations.items()}
    return observations[row]


def assert_same(actions: NDArray[Any], expected: NDArray[Any]) -> None:
    assert isinstance(actions, np.ndarray)
    assert actions.shape == expected.shape
    np.testing.assert_allclose(actions, expected, rtol=0, atol=1e-5)


def test_a_batch_of_actions_equals_stable_baselines(pair: Pair, count: Count) -> None:
    stock, model, agent = pair
    observations = sampled(stock.observation, 200)
    actions, state = agent.policy.predict(observations, deterministic=True)
    expected, _ = model.predict(observations, deterministic=True)
    assert_same(actions, expected)
    assert state is None
    count("S6", configurations=1, actions_compared=len(actions))


def test_every_algorithm_is_among_the_configurations() -> None:
    assert len(STOCK) >= 14
    assert {stock.algorithm for stock in STOCK.values()} == set(ALGORITHMS)


def test_single_actions_equal_stable_baselines(
    pair: Pair,
) -> None:
    stock, model, agent = pair
    observations = sampled(stock.observation, 10)
    for row in range(10):
        observation = one(observations, row)
        action, _ = agent.policy.predict(observation, deterministic=True)
        assert_same(action, model.predict(observation, deterministic=True)[0])


def test_the_algorithm_is_recognised(pair: Pair) -> None:
    stock, _, agent = pair
    assert agent.algorithm == stock.algorithm


def test_drawn_actions_stay_in_the_space(pair: Pair) -> None:
    stock, _, agent = pair
    observations = sampled(stock.observation, 50)
    actions, _ = agent.policy.predict(observations)
    space = agent.policy.action_space
    for action in actions:
        assert space.contains(action.astype(space.dtype))


def test_the_same_seed_draws_the_same_actions(
    pair: Pair,
) -> None:
    stock, _, agent = pair
    observations = sampled(stock.observation, 20)
    once, again = (agent.policy.seeded(5).predict(observations)[0] for _ in range(2))
    np.testing.assert_array_equal(once, again)


def test_spaces_are_read_as_they_were(pair: Pair) -> None:
    _, model, agent = pair
    assert agent.policy.observation_space == model.observation_space
    assert agent.policy.action_space == model.action_space
