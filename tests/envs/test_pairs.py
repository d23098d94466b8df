import gymnasium as gym
import pytest

from rltransfer_envs.making import make
from rltransfer_envs.pairs import PAIRS, SUITES, Pair


@pytest.fixture(params=PAIRS)
def pair(request: pytest.FixtureRequest) -> Pair:
    return PAIRS[request.param]


def target_of(pair: Pair, seed: int) -> gym.Env:
    return make(pair.target, **pair.target_options(seed))


def test_both_ends_of_every_pair_take_steps(pair: Pair) -> None:
    for env in (make(pair.source.env_id), target_of(pair, 100)):
        env.action_space.seed(0)
        env.reset(seed=0)
        for _ in range(5):
            observation, *_ = env.step(env.action_space.sample())
            assert observation in env.observation_space
        env.close()


def test_who_acts_without_a_mapping_fits_the_target(pair: Pair) -> None:
    if {"unmapped", "expert"}.isdisjoint(goal.of for goal in pair.goals):
        assert pair.expert is None
        return
    home = make(pair.unmapped.env_id, **pair.unmapped.env_kwargs)
    assert home.observation_space == target_of(pair, 0).observation_space
    assert home.action_space == target_of(pair, 0).action_space
    if pair.expert is not None:
        assert pair.expert.env_id == pair.target
        assert pair.expert.env_kwargs == pair.target_kwargs


def test_every_pair_asks_for_something_that_can_be_measured(pair: Pair) -> None:
    assert pair.budget >= 400
    assert pair.source.steps > 0
    for goal in pair.goals:
        assert goal.of == "return" or 0 < goal.threshold <= 1
        assert goal.of != "home" or pair.same_reward


def test_only_what_is_drawn_depends_on_the_seed(pair: Pair) -> None:
    once, other = target_of(pair, 100), target_of(pair, 101)
    assert once.spec is not None
    assert other.spec is not None
    assert (once.spec.kwargs != other.spec.kwargs) == pair.drawn


def test_suites_are_of_pairs_that_there_are_and_of_each_once() -> None:
    names = [name for suite in SUITES.values() for name in suite]
    assert set(names) <= set(PAIRS)
    assert len(set(names)) == len(names)
    assert {name for name in PAIRS if not PAIRS[name].goals} == {*SUITES["unrelated"]}
