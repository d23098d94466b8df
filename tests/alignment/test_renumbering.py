from dataclasses import replace

import gymnasium as gym
import numpy as np
import pytest
import torch

from rltransfer.alignment import AlignConfig, Source, align
from rltransfer.alignment.align import explore
from rltransfer.alignment.counted_steps import CountedSteps, Outcome
from rltransfer.alignment.renumbering import (
    Renumbering,
    RenumberingConfig,
    action_orders,
    renumberings,
    tied,
)
from rltransfer.alignment.step_plan import StepPlan, StepPlanConfig
from rltransfer.domain import Domain, SeekingPolicy, Transitions
from rltransfer.errors import InputError
from rltransfer.wrappers import StepBudget
from rltransfer_envs.scrambled_env import Scrambled
from tests.worlds.line import Line
from tests.worlds.rings import OnPolicy, Ring

CONFIG = RenumberingConfig()


def seen(steps: int, seed: int, **ring: object) -> Transitions:
    world = Domain(lambda: gym.wrappers.TimeLimit(Ring(**ring), 50), "Ring")  # type: ignore[arg-type]
    rng = np.random.default_rng(seed)
    policy = SeekingPolicy(world.observations, world.actions, rng)
    return world.collect(policy, purpose="x", seed=seed, steps=steps).transitions


def reordered(rows: Transitions, states: list[int], actions: list[int]) -> Transitions:
    """Returns rows that show state s as number states[s], likewise actions."""
    s, a = (torch.tensor(order).argsort() for order in (states, actions))
    return replace(
        rows,
        observation=rows.observation[:, s],
        action=rows.action[:, a],
        next_observation=rows.next_observation[:, s],
    )


def test_steps_are_counted_by_what_can_be_told_of_them() -> None:
    rows = seen(40, 0, states=3)
    counts = CountedSteps.of(rows, rewards=True)
    on = {outcome for action, outcome in counts.counts if action == 0}
    assert on == {Outcome(False, False, 0.0), Outcome(True, False, 1.0)}
    assert counts.begun.tolist() == [counts.begun.sum(), 0, 0]
    assert counts.tried.sum() == 40
    assert counts.habits(2) == {Outcome(False, True, 0.0): 1.0}
    assert CountedSteps.of(rows, rewards=False).tried.sum() == 40


def test_what_actions_bring_about_tells_them_apart() -> None:
    source = CountedSteps.of(seen(300, 0), True)
    target = CountedSteps.of(reordered(seen(60, 1), [*range(6)], [1, 2, 0]), True)
    # Staying put is told by itself; going on and going back by where they end.
    assert action_orders(source, target, 6)[0] == (2, 0, 1)


@pytest.mark.parametrize("slip", [0.0, 0.3])
def test_states_and_actions_are_found_again(slip: float) -> None:
    states, actions = [3, 0, 5, 1, 4, 2], [2, 0, 1]
    source = CountedSteps.of(seen(3_000, 0, slip=slip), True)
    shown = reordered(seen(200, 1, slip=slip), states, actions)
    found = renumberings(
        source, CountedSteps.of(shown, True), CONFIG, np.random.default_rng(0)
    )
    assert found[0].action == (1, 2, 0)
    assert found[0].state.tolist() == np.argsort(states).tolist()
    assert found[0].contradicted == 0
    assert len(tied(found, CONFIG)) == 1


def test_a_symmetric_world_has_several_maps_and_each_is_whole() -> None:
    # Without pay and traps both ways round are the same, and a map that mixes them
    # explains less.
    source, target = (
        CountedSteps.of(seen(steps, seed, states=7, traps=False), False)
        for steps, seed in ((2_000, 0), (150, 1))
    )
    found = renumberings(source, target, CONFIG, np.random.default_rng(0))
    assert found[0].contradicted == 0
    assert found[0].action[2] == 2


def test_what_was_never_seen_keeps_its_number_where_that_is_free() -> None:
    source = CountedSteps.of(seen(500, 0, states=8), True)
    # Four steps show the first states only.
    target = CountedSteps.of(seen(500, 0, states=8)[:4], True)
    found = renumberings(source, target, CONFIG, np.random.default_rng(0))
    assert sorted(found[0].state.tolist()) == list(range(8))


def test_maps_are_tied_where_their_likelihoods_are_near() -> None:
    made = [
        Renumbering(np.arange(2), (0,), likelihood, 0.0)
        for likelihood in (-1.0, -3.0, -9.0)
    ]
    assert tied(made, CONFIG) == made[:2]


def aligned(seed: int) -> tuple[float, bool | None, list[str]]:
    home = Domain(lambda: gym.wrappers.TimeLimit(Ring(12), 50), "home")
    target = Domain(
        lambda: Scrambled(gym.wrappers.TimeLimit(Ring(12), 50), seed),
        "target",
        StepBudget(800),
    )
    config = AlignConfig(source_steps=900, seed=seed)
    found = align([Source(home, OnPolicy(), "on")], target, config)
    returns = target.evaluate(found.policy, episodes=5, seed=0)
    families = [trial.candidate.family.name for trial in found.trials]
    return float(returns.mean()), found.acceptance.accepted, families


def test_an_agent_of_numbered_states_acts_where_they_have_other_numbers() -> None:
    mean_return, accepted, families = aligned(3)
    assert mean_return == 1.0
    assert accepted
    assert set(families) == {"renumbered"}


def test_the_same_seed_gives_the_same_alignment() -> None:
    assert aligned(4) == aligned(4)


def test_numbered_states_and_vectors_are_not_mapped_to_each_other() -> None:
    home = Domain(lambda: gym.wrappers.TimeLimit(Ring(), 50), "home")
    target = Domain(Line, "line", StepBudget(800))
    with pytest.raises(InputError, match=r"mapped to numbered states.*another source"):
        align([Source(home, OnPolicy(), "on")], target, AlignConfig())


def test_both_sides_need_as_many_actions() -> None:
    home = Domain(lambda: gym.wrappers.TimeLimit(Ring(), 50), "home")
    target = Domain(lambda: gym.make("FrozenLake-v1"), "FrozenLake-v1", StepBudget(800))
    with pytest.raises(InputError, match="home has 3, FrozenLake-v1 4: choose"):
        align([Source(home, OnPolicy(), "on")], target, AlignConfig())


@pytest.mark.parametrize(("states", "whole"), [(12, True), (64, False)])
def test_a_world_is_explored_until_all_was_tried_or_half_of_the_budget_is_gone(
    states: int, whole: bool
) -> None:
    def world() -> gym.Env:
        return gym.wrappers.TimeLimit(Ring(states), 70)

    target = Domain(world, "target", StepBudget(400))
    plan = StepPlan(400, StepPlanConfig(), 0.95)
    explored = explore(target, plan, AlignConfig())
    rows = explored.transitions
    pairs = rows.observation.argmax(dim=1) * 3 + rows.action.argmax(dim=1)
    assert (len(set(pairs.tolist())) == (states - 1) * 3) == whole
    assert 100 <= len(rows) <= 200
    assert whole or len(rows) == 200
    # Only whole episodes count as random ones.
    assert plan.after(explored).random_steps == len(rows) - explored.unfinished_steps
