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
    for names in SUITES.values():
        assert set(names) <= set(PAIRS)
        assert len(set(names)) == len(names)
    right = {name for name in PAIRS if PAIRS[name].refusal == "right"}
    assert right == {*SUITES["unrelated"]}
    assert not any(PAIRS[name].goals for name in right)


def test_what_is_learned_on_says_what_scratch_needs(pair: Pair) -> None:
    learning = pair.learning
    if learning is None:
        assert pair.mapping == "found"
        return
    assert learning.random < learning.threshold <= learning.final
    assert learning.budget > pair.budget
    assert learning.origin
    if pair.target_of:
        other = PAIRS[pair.target_of]
        assert other.learning is learning
        assert other.target_options(7) == pair.target_options(7)
        assert (other.target, other.budget) == (pair.target, pair.budget)
    home = make(learning.scratch.env_id)
    assert type(home.action_space) is type(target_of(pair, 0).action_space)


@pytest.mark.parametrize("suite", ["fast", "spoilt", "traps"])
def test_suites_of_learning_are_learned_on(suite: str) -> None:
    pairs = [PAIRS[name] for name in SUITES[suite]]
    assert all(pair.learning for pair in pairs)
    assert all((pair.mapping == "spoilt") == (suite == "spoilt") for pair in pairs)
    assert all(pair.weak_source == (suite == "traps") for pair in pairs)
