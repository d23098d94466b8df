import gymnasium as gym
import pytest

from rltransfer_envs.making import make
from rltransfer_envs.pairs import PAIRS, Pair


@pytest.fixture(params=PAIRS)
def pair(request: pytest.FixtureRequest) -> Pair:
    return PAIRS[request.param]


def target_of(pair: Pair, seed: int) -> gym.Env:
    return make(pair.target, **pair.target_options(seed))


def test_both_ends_of_every_pair_take_steps(pair: Pair) -> None:
    for env in (make(pair.source), target_of(pair, 100)):
        env.action_space.seed(0)
        env.reset(seed=0)
        for _ in range(5):
            observation, *_ = env.step(env.action_space.sample())
            assert observation in env.observation_space
        env.close()


def test_every_pair_asks_for_something_that_can_be_measured(pair: Pair) -> None:
    assert pair.budget > 0
    assert (pair.threshold is None) == (pair.goal == "refusal")
    if pair.goal == "share of source":
        assert pair.threshold is not None
        assert 0 < pair.threshold <= 1
        assert make(pair.source).observation_space == (
            target_of(pair, 0).observation_space
        )


def test_only_a_scrambled_target_depends_on_the_seed(pair: Pair) -> None:
    once, other = target_of(pair, 100), target_of(pair, 101)
    assert once.spec is not None
    assert other.spec is not None
    assert (once.spec.kwargs != other.spec.kwargs) == pair.scrambled
