"""What the mapped policy has to say while a student learns."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from rltransfer.domain import Domain
from rltransfer_agents.learning_on import STRATEGIES
from rltransfer_agents.learning_on.actor_critic import ActorCritic
from rltransfer_agents.learning_on.learner_config import LearnerConfig
from rltransfer_agents.learning_on.q_learner import QLearner
from rltransfer_agents.learning_on.replay import Units
from rltransfer_agents.learning_on.strategies import (
    Exploring,
    Pull,
    Strategy,
    way_to_solved,
)
from tests.worlds.line import Line, homeward

HOLD = Strategy(hold=2.0)
UNITS = Units(np.float32([0.2]), np.float32([0.5]), 1.0)


def pull(strategy: Strategy = HOLD, returns: tuple[float, ...] = (10.0, 10.0)) -> Pull:
    """Returns one where random actions earn 0, and an episode takes 20 steps."""
    return Pull(strategy, returns, 0.0, 20.0)


def weights(one: Pull, *returns: float) -> list[float]:
    result = [one.weight]
    for earned in returns:
        one.earned(earned, 100)
        result.append(one.weight)
    return result


def test_the_pull_falls_while_returns_hold() -> None:
    seen = weights(pull(), *[10.0] * 10)
    assert seen[0] == 2.0
    assert (np.diff(seen) < 0).all()
    assert seen[-1] > 0


def test_it_falls_five_times_as_fast_where_the_mapped_policy_solves_nothing() -> None:
    solved, unsolved = (Pull(HOLD, (10.0,) * 2, 0.0, 20.0, at) for at in (10.0, 11.0))
    assert weights(solved, 10.0)[-1] == pytest.approx(2.0 * np.exp(-100 / 500))
    assert weights(unsolved, 10.0)[-1] == pytest.approx(2.0 * np.exp(-100 / 100))


def test_the_pull_rises_when_returns_drop_but_not_above_its_beginning() -> None:
    one = pull()
    low = weights(one, *[10.0] * 10)[-1]
    seen = weights(one, *[0.0] * 40)
    assert seen[5] > low and seen[-1] == 2.0


def test_it_rises_faster_than_it_falls() -> None:
    one = pull()
    fallen = weights(one, *[10.0] * 10)[-1]
    weights(one, *[-30.0] * 10)
    assert fallen < 2.0 and one.weight == 2.0


def test_longer_episodes_count_for_more() -> None:
    long, short = pull(), pull()
    long.earned(10.0, 200)
    for _ in range(2):
        short.earned(10.0, 100)
    assert long.weight == pytest.approx(short.weight)


def test_what_the_mapped_policy_sometimes_earns_is_no_drop() -> None:
    assert weights(pull(returns=(5.0, 15.0)), 7.0)[-1] < 2.0
    assert weights(pull(returns=(10.0, 10.0)), 7.0)[-1] == 2.0


def test_returns_below_zero_are_held_alike() -> None:
    one = Pull(HOLD, (-10.0, -10.0), -100.0, 20.0)
    assert weights(one, -11.0)[-1] < 2.0
    two = Pull(HOLD, (-10.0, -10.0), -100.0, 20.0)
    assert weights(two, -60.0)[-1] == 2.0


@pytest.mark.parametrize("returns", [(), (0.0, 0.0), (-5.0,)])
def test_a_mapped_policy_no_better_than_random_is_left_finite(
    returns: tuple[float, ...],
) -> None:
    for strategy in STRATEGIES.values():
        one = pull(strategy, returns)
        assert np.isfinite(weights(one, -3.0, 0.0, 4.0)).all()


def test_the_ratio_falls_with_the_share_that_is_reached() -> None:
    ratio = replace(HOLD, eased_by="ratio")
    assert weights(pull(ratio), 0.0)[-1] == 2.0
    assert weights(pull(ratio), 5.0)[-1] == pytest.approx(1.0)
    assert weights(pull(ratio), 10.0)[-1] == 0.0
    assert weights(pull(ratio), 50.0)[-1] == 0.0
    assert weights(pull(ratio), -50.0)[-1] == 2.0


def test_first_steps_are_handed_over_while_returns_hold() -> None:
    one = pull(Strategy(acts="first"))
    assert one.first_steps == 20
    one.earned(0.0, 20)
    assert one.first_steps == 20
    handed = []
    for _ in range(15):
        one.earned(10.0, 20)
        handed.append(one.first_steps)
    assert handed == sorted(handed, reverse=True) and handed[-1] == 0
    assert len(set(handed)) > 5


def test_guidance_is_what_the_strategy_says() -> None:
    one = pull(Strategy(hold=1.0, filtered=3.0, bootstraps=True))
    assert one.guidance == (1.0, 3.0, True, False)
    assert pull(Strategy(shapes=True)).guidance.shapes
    one.earned(10.0, 100)
    assert one.guidance[0] == one.weight < 1.0


def explorer(
    kind: str = "td3",
    acts: Any = "never",
    seed: int = 0,
    one: Pull | None = None,
    way: float = 1.0,
) -> tuple[Domain, Exploring]:
    continuous = kind != "dqn"
    domain = Domain(lambda: Line(continuous=continuous), "line")
    config, rng = (
        LearnerConfig(widths=(8,), random_choices=0.3),
        np.random.default_rng(9),
    )
    learner: Any = (
        ActorCritic(kind, (1, 1), UNITS, config, rng)  # type: ignore[arg-type]
        if continuous
        else QLearner((1, 2), UNITS, config, rng)
    )
    if continuous:
        values_actions(learner, 1)
    strategy = Strategy(acts=acts)
    noise = np.random.default_rng(seed)
    mapped = homeward(continuous, way)
    made = Exploring(learner, UNITS, domain, noise, mapped, strategy, one)
    return domain, made


def values_actions(learner: Any, sign: int) -> None:
    """Makes a critic that values an action by itself, or by its negative."""
    learner._critic.numbers[:] = 0
    learner._critic.layers[0][0][:, 1, 0] = sign
    learner._critic.layers[0][1][:, 0, 0] = 2
    learner._critic.layers[1][0][:, 0, 0] = 1


def acted(domain: Domain, policy: Exploring, steps: int = 50) -> Any:
    rollout = domain.collect(policy, purpose="trial", seed=3, steps=steps)
    return rollout.transitions.action.numpy()


@pytest.mark.parametrize("kind", ["td3", "sac", "dqn"])
@pytest.mark.parametrize("acts", ["never", "higher", "first"])
def test_exploring_goes_on_from_its_state_with_equal_actions(
    kind: str, acts: str
) -> None:
    one = pull(Strategy(acts="first"))
    one.first_steps = 7
    domain, policy = explorer(kind, acts, one=one)
    acted(domain, policy)
    state = policy.state()
    expected = acted(domain, policy)
    # Another one, whose noise stands elsewhere.
    _, again = explorer(kind, acts, seed=77, one=one)
    assert not np.array_equal(acted(domain, again), expected)
    again.load_state(state)
    np.testing.assert_array_equal(acted(domain, again), expected)


@pytest.mark.parametrize("kind", ["td3", "dqn"])
def test_the_mapped_policy_acts_for_the_first_steps_of_every_episode(kind: str) -> None:
    one = pull(Strategy(acts="first"))
    one.first_steps = 7
    domain, policy = explorer(kind, "first", one=one)
    mapped = homeward(kind != "dqn")
    rows = domain.collect(policy, purpose="trial", seed=3, steps=60).transitions
    expected = domain.actions.encode(mapped.predict(rows.observation.numpy())[0])
    alike = np.isclose(rows.action, expected, atol=1e-5).all(axis=1).reshape(3, 20)
    assert alike[:, :7].all()
    assert not alike[:, 7:].all(axis=1).any()


def test_who_is_rated_higher_acts() -> None:
    domain, policy = explorer("td3", "higher")
    mapped = homeward()
    for sign in (1, -1):
        values_actions(policy._learner, sign)
        rows = domain.collect(policy, purpose="trial", seed=3, steps=40).transitions
        offered = domain.actions.encode(mapped.predict(rows.observation.numpy())[0])
        ahead = sign * (rows.action.numpy() - offered)
        assert ahead.min() > -1e-5 and ahead.max() > 0.01
        assert (np.abs(ahead) < 1e-5).any()


def test_a_mapped_policy_acts_never_where_it_was_not_asked_to() -> None:
    (domain, one), (_, other) = explorer(way=1.0), explorer(way=-1.0)
    np.testing.assert_array_equal(acted(domain, one), acted(domain, other))


def test_the_table_begins_with_the_default_and_holds_scratch() -> None:
    assert next(iter(STRATEGIES)) == "hold" and "scratch" in STRATEGIES
    assert STRATEGIES["scratch"] == Strategy(clones=False)


def test_the_way_to_solved_begins_at_the_lowest_return() -> None:
    assert way_to_solved(-800.0, -1_600.0, -200.0) == pytest.approx(4 / 7)
    assert way_to_solved(5.0, 5.0, 5.0) == way_to_solved(1.0, 9.0, -np.inf) == 1.0
